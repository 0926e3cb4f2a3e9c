import assert from "node:assert/strict";
import { test } from "node:test";
import { espSpiOctets } from "../../../ike/core/child.js";
import { offerEsp } from "../../../ike/core/negotiate.js";
import { outboundKeys } from "../../../ike/v2/keys.js";
import { openMessage, sealMessage } from "../../../ike/wire/encrypted.js";
import { decodeMessage, payload } from "../../../ike/wire/message.js";
import { espNotification, notification } from "../../../ike/wire/payloads/notify.js";
import { seededRandom } from "../../sim/random.js";
import { createPair, establishedPair, forge, ikeSa, type Pair } from "./pair.js";

const REFUSAL = payload("N", notification("ESP_TFC_PADDING_NOT_SUPPORTED"));

test("a peer that asks for a child without TFC padding gets it so, and one that does not say takes padding", () => {
  const pair = establishedPair();
  const [first] = [...pair.b.children.values()];
  assert.equal("refusesTfc" in first!, false);
  const tunnel = pair.a.policy.tunnels[0]!;
  const selectors = (which: "local" | "remote") => ({ selectors: first![which], unknown: [] });
  const request = forge(
    pair.a,
    "CREATE_CHILD_SA",
    [
      payload("N", espNotification("REKEY_SA", first!.spiOut)),
      payload("SA", offerEsp(tunnel.esp.proposals, espSpiOctets(0x1234_5678), false)),
      payload("Nonce", { nonce: new Uint8Array(32).fill(5) }),
      payload("TSi", selectors("remote")),
      payload("TSr", selectors("local")),
      REFUSAL,
    ],
    { messageId: 2 },
  );
  pair.inject(pair.b, request);
  const made = [...pair.b.children.values()].find(({ spiOut }) => spiOut === 0x1234_5678);
  assert.equal(made?.refusesTfc, true);
});

/** Adds the refusal to every protected answer of B: opened and sealed anew with B's own keys. */
function refusing(pair: Pair): void {
  pair.wire = ({ from, bytes }) => {
    const raw = decodeMessage(bytes);
    if (from === "A" || raw.header.exchange === "IKE_SA_INIT") return [bytes];
    const { keys, negotiated } = ikeSa(pair.b);
    const own = outboundKeys(keys, "responder");
    const opened = openMessage(bytes, raw, negotiated.suite, own);
    assert(opened !== undefined);
    const payloads = [...opened.payloads, REFUSAL];
    const counter = 5_000_000 + pair.sent.length;
    return [sealMessage(raw.header, payloads, negotiated.suite, own, counter, seededRandom(3).octets)];
  };
}

test("a peer that answers with ESP_TFC_PADDING_NOT_SUPPORTED gets no padding, in IKE_AUTH and in CREATE_CHILD_SA", () => {
  const pair = createPair();
  refusing(pair);
  pair.pass(2_000);
  assert.deepEqual(
    [...pair.a.children.values()].map(({ refusesTfc }) => refusesTfc),
    [true],
  );
  pair.wish(pair.a, { do: "rekeyChildren", tunnel: "t" });
  pair.pass(5_000);
  assert.deepEqual(
    [...pair.a.children.values()].map(({ refusesTfc }) => refusesTfc),
    [true],
  );
});
