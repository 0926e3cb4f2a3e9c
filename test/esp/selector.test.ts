import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatPrefix, parsePrefix } from "../../esp/address.js";
import {
  formatSelector,
  intersect,
  isSubset,
  overlaps,
  sameSelector,
  selectorFromPrefix,
  selectorFromRange,
  type TrafficSelector,
  toPrefixes,
} from "../../esp/selector.js";

/** Small numbers, so that ranges meet often. */
const range = (top: number) =>
  fc
    .tuple(fc.integer({ min: 0, max: top }), fc.integer({ min: 0, max: top }))
    .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
const small: fc.Arbitrary<TrafficSelector> = fc
  .record({
    family: fc.constantFrom(4 as const, 6 as const),
    protocol: fc.constantFrom(0, 6, 17),
    ports: fc.oneof(fc.constant([0, 65535] as const), range(8)),
    addresses: range(16),
  })
  .map(({ family, protocol, ports, addresses }) => ({
    family,
    protocol,
    startPort: ports[0],
    endPort: ports[1],
    start: BigInt(addresses[0]),
    end: BigInt(addresses[1]),
  }));

test("the intersection of two selectors is the largest that lies in both", () => {
  fc.assert(
    fc.property(small, small, small, (a, b, probe) => {
      const both = intersect(a, b);
      assert.equal(overlaps(a, b), both !== undefined);
      assert.deepEqual(both, intersect(b, a));
      if (both) assert.ok(isSubset(both, a) && isSubset(both, b));
      const inBoth = isSubset(probe, a) && isSubset(probe, b);
      assert.equal(both !== undefined && isSubset(probe, both), inBoth);
    }),
    { numRuns: 2000 },
  );
});

test("two selectors that contain each other are the same", () => {
  fc.assert(
    fc.property(small, small, (a, b) => {
      assert.equal(isSubset(a, b) && isSubset(b, a), sameSelector(a, b));
    }),
  );
});

test("the prefixes of a range cover exactly the range", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 5000n }), fc.bigInt({ min: 0n, max: 5000n }), (a, b) => {
      const [start, end] = a < b ? [a, b] : [b, a];
      let next = start;
      for (const prefix of toPrefixes(selectorFromRange(4, start, end))) {
        assert.equal(prefix.value, next);
        next += 1n << BigInt(32 - prefix.length);
      }
      assert.equal(next, end + 1n);
    }),
  );
  assert.deepEqual(toPrefixes(selectorFromPrefix(parsePrefix("::/0"))).map(formatPrefix), ["::/0"]);
  assert.deepEqual(toPrefixes(selectorFromRange(4, 1n, 0xffff_ffffn)).length, 32);
});

test("OPAQUE ports meet only themselves and any ports", () => {
  const base = selectorFromPrefix(parsePrefix("10.0.0.0/8"));
  const opaque = { ...base, protocol: 17, startPort: 65535, endPort: 0 };
  const some = { ...base, protocol: 17, startPort: 0, endPort: 1000 };
  assert.equal(intersect(opaque, some), undefined);
  assert.deepEqual(intersect(opaque, base), opaque);
  assert.ok(isSubset(opaque, base) && !isSubset(base, opaque) && !isSubset(some, opaque) && !isSubset(opaque, some));
});

test("a selector is written as a prefix or a range, with what narrows it", () => {
  const prefix = selectorFromPrefix(parsePrefix("10.1.0.0/16"));
  assert.equal(formatSelector(prefix), "10.1.0.0/16");
  assert.equal(formatSelector({ ...prefix, protocol: 6, startPort: 443, endPort: 443 }), "10.1.0.0/16[tcp/443]");
  assert.equal(formatSelector({ ...prefix, protocol: 17, startPort: 1, endPort: 9 }), "10.1.0.0/16[udp/1-9]");
  assert.equal(formatSelector({ ...prefix, protocol: 89 }), "10.1.0.0/16[proto 89]");
  assert.equal(formatSelector({ ...prefix, protocol: 17, startPort: 65535, endPort: 0 }), "10.1.0.0/16[udp/opaque]");
  assert.equal(formatSelector({ ...prefix, end: prefix.end - 1n }), "10.1.0.0-10.1.255.254");
});

test("a range that runs backwards or out of its family is refused", () => {
  assert.throws(() => selectorFromRange(4, 2n, 1n), RangeError);
  assert.throws(() => selectorFromRange(4, 0n, 1n << 32n), RangeError);
});
