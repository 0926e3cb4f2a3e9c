import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrefix } from "../../../esp/address.js";
import { selectorFromPrefix } from "../../../esp/selector.js";
import { espSpiOctets } from "../../../ike/core/child.js";
import type { TunnelPolicy } from "../../../ike/core/policy.js";
import { REAP_AGAIN_AFTER, REAP_REDUNDANT_AFTER, SWITCH_AFTER } from "../../../ike/core/timers.js";
import { payload } from "../../../ike/wire/message.js";
import { assertMirrored, establishedPair, forge, ikeSa, lastNotifies, type Pair, reportsOf, view } from "./pair.js";

/** A child for this traffic without REKEY_SA, asked of B by a peer that keeps what it has; `spi` is its own. */
function open(pair: Pair, messageId: number, spi: number, net = "10.1.0.0/16"): void {
  const ts = (prefix: string) => ({ selectors: [selectorFromPrefix(parsePrefix(prefix))], unknown: [] });
  const transforms = [
    { type: 1, id: 20, keyBits: 256, attributes: [] },
    { type: 5, id: 0, attributes: [] },
  ];
  const request = forge(
    pair.a,
    "CREATE_CHILD_SA",
    [
      payload("SA", { proposals: [{ number: 1, protocol: "ESP", spi: espSpiOctets(spi), transforms }] }),
      payload("Nonce", { nonce: new Uint8Array(32).fill(messageId) }),
      payload("TSi", ts(net)),
      payload("TSr", ts("10.2.0.0/16")),
    ],
    { messageId },
  );
  pair.inject(pair.b, request);
}

const bySpi = (pair: Pair, spi: number) => [...ikeSa(pair.b).children.values()].find((c) => c.pair.spiOut === spi);
/** Nobody asks for anything but what is forged, which has taken the peer's message IDs. */
const unwatched = ({ dpd: _, ...tunnel }: TunnelPolicy): TunnelPolicy => tunnel;
const idle = { a: { close: "none" }, changeA: unwatched, changeB: unwatched } as const;

test("a second child for the same traffic takes the place of the first one: sent on when the peer has it, and the first is deleted", () => {
  const pair = establishedPair(idle);
  const [first] = [...ikeSa(pair.b).children.values()];
  open(pair, 2, 0xa0000001);
  const second = bySpi(pair, 0xa0000001)!;
  assert.deepEqual([second.state, second.replaces], ["live", first!.id]);
  assert.equal(bySpi(pair, first!.pair.spiOut)!.state, "old");
  assert.equal(pair.b.using, first!.id, "the peer may not have our answer yet");
  pair.pass(SWITCH_AFTER);
  assert.equal(pair.b.using, second.id);
  pair.pass(REAP_REDUNDANT_AFTER);
  assert.deepEqual([...pair.b.children.keys()], [second.id]);
  assert.equal(pair.a.children.has(1), false, "the peer has been told");
  assert.deepEqual(reportsOf(pair.b, "failed"), []);
  assert.equal(view(pair.b).state, "established");
});

test("a peer that opens another one for each that is deleted is not drawn into a quarrel: that one is left to its lifetime", () => {
  const pair = establishedPair(idle);
  open(pair, 2, 0xa0000001);
  pair.pass(REAP_REDUNDANT_AFTER + 100);
  assert.deepEqual(
    [...pair.b.children.values()].map(({ spiOut }) => spiOut),
    [0xa0000001],
  );
  open(pair, 3, 0xa0000002);
  open(pair, 4, 0xa0000003);
  pair.pass(REAP_AGAIN_AFTER - REAP_REDUNDANT_AFTER - 1000);
  const kept = [0xa0000001, 0xa0000002, 0xa0000003].map((spi) => bySpi(pair, spi)?.state);
  assert.deepEqual(kept, ["old", "old", "live"]);
  assert.equal(pair.b.using, bySpi(pair, 0xa0000003)!.id);
  pair.pass(1000);
  open(pair, 5, 0xa0000004);
  pair.pass(REAP_REDUNDANT_AFTER + 100);
  assert.equal(bySpi(pair, 0xa0000003), undefined, "ten minutes later one is deleted again");
  assert.equal(bySpi(pair, 0xa0000004)!.state, "live");
  assert(bySpi(pair, 0xa0000001)!.expiresAt < 3_700_000);
});

test("a second child for a part of the traffic receives, but the rest keeps its way: it is not sent on, and nothing is deleted", () => {
  const pair = establishedPair(idle);
  const [first] = [...ikeSa(pair.b).children.values()];
  open(pair, 2, 0xa0000001, "10.1.7.0/24");
  pair.pass(SWITCH_AFTER + REAP_REDUNDANT_AFTER);
  assert.deepEqual([pair.b.using, pair.b.children.size], [first!.id, 2]);
  assert.equal(view(pair.b).children[0]!.spiOut, first!.pair.spiOut);
});

test("while we replace a child the peer opens none for the same traffic: TEMPORARY_FAILURE, and the rekey goes through", () => {
  const pair = establishedPair(idle);
  pair.wish(pair.b, { do: "rekeyChildren", tunnel: "t" });
  open(pair, 2, 0xa0000001);
  assert.equal(bySpi(pair, 0xa0000001), undefined);
  assert.deepEqual(
    lastNotifies(pair, pair.b, pair.a).map(({ notify }) => notify),
    ["TEMPORARY_FAILURE"],
  );
  pair.pass(3_000);
  assertMirrored(pair.a, pair.b);
  assert.equal(pair.b.children.size, 1);
});
