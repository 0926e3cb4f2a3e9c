import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parsePrefix } from "../../../esp/address.js";
import { sameSelector, selectorFromPrefix } from "../../../esp/selector.js";
import { jointWith, MOST_JOINT_SELECTORS } from "../../../ike/core/joint.js";
import type { Mapping } from "../../../ike/core/policy.js";
import { offerFor } from "../../../ike/v2/narrowing.js";

const range = (text: string) => selectorFromPrefix(parsePrefix(text));
const mapping = (local: number, peer: number): Mapping => ({
  local: range(`10.${local >> 8}.${local & 255}.0/24`),
  peer: range(`172.${16 + (peer >> 8)}.${peer & 255}.0/24`),
});

test("of any set of mappings, what shares an SA is exactly the product of its ranges", () => {
  const sets = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })), {
    minLength: 1,
    maxLength: 16,
    selector: ([l, p]) => 4 * l + p,
  });
  fc.assert(
    fc.property(sets, fc.nat(), fc.nat(), (pairs, pick, closed) => {
      const policy = { mappings: pairs.map(([l, p]) => mapping(l, p)), entries: [{ first: 0, count: pairs.length }] };
      const wanted = pick % pairs.length;
      const isOpen = (i: number) => ((closed >> (i % 16)) & 1) === 0;
      const joint = jointWith(policy, wanted, isOpen);
      assert.ok(joint.includes(wanted));
      assert.ok(joint.every((i) => i === wanted || isOpen(i)));
      const { local, remote } = offerFor(policy, joint);
      assert.equal(local.length * remote.length, joint.length);
      for (const l of local)
        for (const r of remote)
          assert.ok(
            joint.some((i) => sameSelector(policy.mappings[i]!.local, l) && sameSelector(policy.mappings[i]!.peer, r)),
          );
    }),
    { numRuns: 500, seed: 6 },
  );
});

test("an entry that is a product is one offer, and one that is too long for a payload several", () => {
  const policy = (locals: number, peers: number) => {
    const mappings = [...Array(locals).keys()].flatMap((l) => [...Array(peers).keys()].map((p) => mapping(l, p)));
    return { mappings, entries: [{ first: 0, count: mappings.length }] };
  };
  assert.equal(jointWith(policy(4, 50), 0, () => true).length, 200);
  const long = policy(1, MOST_JOINT_SELECTORS + 10);
  assert.equal(jointWith(long, 0, () => true).length, MOST_JOINT_SELECTORS);
  assert.deepEqual(
    jointWith(long, MOST_JOINT_SELECTORS + 3, () => true),
    Array.from({ length: 10 }, (_, i) => MOST_JOINT_SELECTORS + i),
  );
});

test("mappings of two families, of two entries, or with other ports than the rest share nothing", () => {
  const mappings: Mapping[] = [
    { local: range("10.0.0.0/24"), peer: range("172.16.0.0/24") },
    { local: range("fd00:1::/64"), peer: range("fd00:2::/64") },
    { local: range("10.0.0.0/24"), peer: range("172.16.1.0/24") },
    { local: range("10.0.0.0/24"), peer: range("172.16.2.0/24") },
  ];
  const entries = [
    { first: 0, count: 3 },
    { first: 3, count: 1 },
  ];
  const joint = (i: number) => jointWith({ mappings, entries }, i, () => true);
  assert.deepEqual([joint(0), joint(1), joint(2), joint(3)], [[0, 2], [1], [0, 2], [3]]);
});
