import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parsePrefix } from "../../../esp/address.js";
import {
  formatSelector,
  isSubset,
  selectorFromPrefix,
  selectorFromRange,
  type TrafficSelector,
} from "../../../esp/selector.js";
import { ProtocolError } from "../../../ike/core/errors.js";
import { checkAnswer, narrowAsResponder, offerFor, tsPayload } from "../../../ike/v2/narrowing.js";

const prefix = (text: string) => selectorFromPrefix(parsePrefix(text));
const ts = (...texts: string[]) => tsPayload(texts.map(prefix));
const texts = (selectors: readonly TrafficSelector[]) => selectors.map(formatSelector);

/** Each argument is an entry: lines of "ours peer's". */
function policyOf(...entries: string[][]) {
  const mappings = entries.flat().map((line) => {
    const [local, peer] = line.split(" ");
    return { local: prefix(local!), peer: prefix(peer!) };
  });
  let first = 0;
  const ranges = entries.map(({ length: count }) => {
    first += count;
    return { first: first - count, count };
  });
  return { mappings, entries: ranges };
}

function unacceptable(run: () => unknown, detail: RegExp): void {
  assert.throws(
    run,
    (error: unknown) =>
      error instanceof ProtocolError && error.notify === "TS_UNACCEPTABLE" && detail.test(error.detail),
  );
}

const TWO = policyOf(["10.1.0.0/16 10.2.0.0/16"], ["10.3.0.0/16 10.4.0.0/16"]);

test("the responder cuts a wider request down to its own selectors (RFC 7296 section 2.9)", () => {
  const { selectors, more } = narrowAsResponder(TWO, ts("0.0.0.0/0"), ts("10.1.0.0/16"));
  assert.deepEqual(texts(selectors.local), ["10.1.0.0/16"]);
  assert.deepEqual(texts(selectors.remote), ["10.2.0.0/16"]);
  assert.deepEqual(selectors.mappings, [0]);
  assert.equal(more, false);
});

test("the responder keeps a narrower request, and protocols and ports in it", () => {
  const web = { ...prefix("10.2.7.0/24"), protocol: 6, startPort: 443, endPort: 443 };
  const { selectors } = narrowAsResponder(TWO, tsPayload([web]), ts("10.1.0.0/16"));
  assert.deepEqual(texts(selectors.remote), ["10.2.7.0/24[tcp/443]"]);
});

test("the entry of the packet that triggered the request is preferred, though another one is larger", () => {
  const policy = policyOf(["10.1.0.0/16 10.2.0.0/16"], ["10.1.5.0/24 10.4.0.0/24"]);
  const { selectors, more } = narrowAsResponder(policy, ts("10.4.0.9", "0.0.0.0/0"), ts("10.1.5.7", "0.0.0.0/0"));
  assert.deepEqual(selectors.mappings, [1]);
  assert.equal(more, true);
});

test("among fitting entries new mappings count first, then the number of mappings, then addresses, then the order", () => {
  const policy = policyOf(
    ["10.1.0.0/24 10.2.0.0/24"],
    ["10.1.0.0/16 10.2.0.0/16"],
    ["10.1.0.0/25 10.2.0.0/25", "10.1.0.128/25 10.2.0.0/25"],
    ["10.1.0.0/16 10.2.0.0/16"],
  );
  const all = [ts("10.2.0.0/16"), ts("10.1.0.0/16")] as const;
  assert.deepEqual(narrowAsResponder(policy, ...all).selectors.mappings, [2, 3]);
  assert.deepEqual(narrowAsResponder(policy, ...all, { live: new Set([2, 3]) }).selectors.mappings, [1]);
  assert.deepEqual(narrowAsResponder(policy, ...all, { live: new Set([1, 2, 3]) }).selectors.mappings, [4]);
});

test("a rekey stays in the entry of the child that it replaces (RFC 7296 section 2.9.2)", () => {
  const { selectors } = narrowAsResponder(TWO, ts("0.0.0.0/0"), ts("0.0.0.0/0"), { rekeyed: 1 });
  assert.deepEqual(selectors.mappings, [1]);
  unacceptable(() => narrowAsResponder(TWO, ts("10.2.0.0/16"), ts("10.1.0.0/16"), { rekeyed: 1 }), /10\.2\.0\.0\/16/);
});

test("nothing in common is TS_UNACCEPTABLE, and says what both want", () => {
  unacceptable(
    () => narrowAsResponder(TWO, ts("10.9.0.0/16"), ts("10.1.0.0/16")),
    /asks for 10\.9\.0\.0\/16 on its side and 10\.1\.0\.0\/16 on ours; our mappings .* 10\.1\.0\.0\/16 <-> 10\.2\.0\.0\/16/,
  );
  unacceptable(() => narrowAsResponder(TWO, ts("2001:db8::/32"), ts("10.1.0.0/16")), /2001:db8::\/32/);
});

test("the initiator takes an answer inside of its offer and says which mapping was cut", () => {
  const policy = policyOf(["10.1.0.0/24 10.2.0.0/16", "10.1.1.0/24 10.2.0.0/16"]);
  const offer = offerFor(policy, [0, 1]);
  assert.deepEqual(texts(offer.local), ["10.1.0.0/24", "10.1.1.0/24"]);
  assert.deepEqual(texts(offer.remote), ["10.2.0.0/16"]);
  const whole = checkAnswer(policy, offer, tsPayload(offer.local), tsPayload(offer.remote));
  assert.deepEqual(whole.selectors.mappings, [0, 1]);
  assert.deepEqual(whole.cut, []);
  const half = checkAnswer(policy, offer, ts("10.1.1.0/24"), ts("10.2.0.0/16"));
  assert.deepEqual(half.selectors.mappings, [1]);
  assert.deepEqual(half.cut, []);
  const part = checkAnswer(policy, offer, ts("10.1.0.0/24", "10.1.1.0/25"), ts("10.2.0.0/16"));
  assert.deepEqual([part.selectors.mappings, part.cut], [[0, 1], [1]]);
});

test("a peer may join neighbours of our offer into one range", () => {
  const policy = policyOf(["10.1.0.0/24 10.2.0.0/16", "10.1.1.0/24 10.2.0.0/16"]);
  const { selectors, cut } = checkAnswer(policy, offerFor(policy, [0, 1]), ts("10.1.0.0/23"), ts("10.2.0.0/16"));
  assert.deepEqual(selectors.mappings, [0, 1]);
  assert.deepEqual(cut, []);
});

test("an answer outside of our offer is TS_UNACCEPTABLE", () => {
  const offer = offerFor(TWO, [0]);
  unacceptable(() => checkAnswer(TWO, offer, ts("10.0.0.0/8"), ts("10.2.0.0/16")), /TSi holds 10\.0\.0\.0\/8/);
  unacceptable(() => checkAnswer(TWO, offer, ts("10.1.0.0/16"), ts("10.2.0.0/15")), /TSr holds 10\.2\.0\.0\/15/);
  const label = { selectors: [prefix("10.1.0.0/16")], unknown: [{ tsType: 10, data: new Uint8Array(4) }] };
  unacceptable(() => checkAnswer(TWO, offer, label, ts("10.2.0.0/16")), /did not offer/);
});

test("hundreds of selectors on both sides come to terms, and to no more selectors than a payload holds", () => {
  const hosts = Array.from({ length: 255 }, (_, i) => selectorFromRange(4, BigInt(4 * i), BigInt(4 * i + 1)));
  const mappings = hosts.flatMap((peer) => hosts.slice(0, 4).map((local) => ({ local, peer })));
  const policy = { mappings, entries: [{ first: 0, count: mappings.length }] };
  const { selectors } = narrowAsResponder(policy, tsPayload(hosts), tsPayload(hosts));
  assert.equal(selectors.remote.length, 255);
  assert.equal(selectors.local.length, 4);
  const all = tsPayload(Array.from({ length: 255 }, (_, i) => selectorFromRange(4, BigInt(i), BigInt(i + 700))));
  const bounded = narrowAsResponder(policy, all, all).selectors;
  assert(bounded.remote.length <= 255 && bounded.remote.length > 0);
});

test("whatever the peer asks for, the responder's choice lies inside of both sides' selectors, and the initiator accepts it", () => {
  const range = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 })).map(([a, b]) =>
    selectorFromRange(4, BigInt(Math.min(a, b)), BigInt(Math.max(a, b)), {
      protocol: a % 3 === 0 ? 6 : 0,
      startPort: 0,
      endPort: 65535,
    }),
  );
  const ranges = fc.array(range, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(ranges, ranges, ranges, ranges, (locals, peers, tsi, tsr) => {
      const mappings = locals.flatMap((local) => peers.map((peer) => ({ local, peer })));
      const policy = { mappings, entries: [{ first: 0, count: mappings.length }] };
      try {
        const { selectors } = narrowAsResponder(policy, tsPayload(tsi), tsPayload(tsr));
        for (const s of selectors.local) assert(locals.some((l) => isSubset(s, l)) && tsr.some((t) => isSubset(s, t)));
        for (const s of selectors.remote) assert(peers.some((p) => isSubset(s, p)) && tsi.some((t) => isSubset(s, t)));
        assert(selectors.mappings.length > 0);
        const theirs = { mappings: tsi.flatMap((local) => tsr.map((peer) => ({ local, peer }))), entries: [] };
        const offer = { local: tsi, remote: tsr, mappings: theirs.mappings.map((_, i) => i) };
        checkAnswer(theirs, offer, tsPayload(selectors.remote), tsPayload(selectors.local));
      } catch (error) {
        assert(error instanceof ProtocolError && error.notify === "TS_UNACCEPTABLE", `${error}`);
        const meets = (a: TrafficSelector, b: TrafficSelector) =>
          a.start <= b.end && b.start <= a.end && (a.protocol === 0 || b.protocol === 0 || a.protocol === b.protocol);
        const local = locals.some((l) => tsr.some((t) => meets(l, t)));
        const remote = peers.some((p) => tsi.some((t) => meets(p, t)));
        assert(!(local && remote), "there was something in common");
      }
    }),
    { numRuns: 1000 },
  );
});
