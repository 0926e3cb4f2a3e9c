import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DROP } from "../../esp/drop-reasons.js";
import { createLifetime, withCipherLimits } from "../../esp/lifetime.js";
import { createReplayWindow } from "../../esp/replay-window.js";
import { createSequenceCounter, lastSequenceNumber } from "../../esp/sequence.js";

const TWO_32 = 0x1_0000_0000;

/** What RFC 4303 section 3.4.3 says, with a set of all numbers. */
function naiveWindow(size: number) {
  const seen = new Set<number>();
  let top = 0;
  return (number: number): number => {
    if (number === 0 || (size > 0 && number <= top - size)) return DROP.replayedOld;
    if (size > 0 && seen.has(number)) return DROP.replayed;
    seen.add(number);
    top = Math.max(top, number);
    return 0;
  };
}

test("the replay window accepts exactly what a set of all numbers would", () => {
  const steps = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: -80, max: 40 }) },
      { weight: 1, arbitrary: fc.integer({ min: -3000, max: 3000 }) },
    ),
    { maxLength: 300 },
  );
  fc.assert(
    fc.property(fc.constantFrom(0, 1, 31, 32, 33, 64, 1000, 8192), steps, fc.boolean(), (size, moves, extended) => {
      const window = createReplayWindow(size, extended);
      const model = naiveWindow(size);
      let top = 0;
      for (const move of moves) {
        const number = Math.max(0, top + move);
        const code = window.check(number);
        const expected = model(number);
        // With ESN an old number is taken for one of the next subspace, and the ICV tells.
        if (extended && expected === DROP.replayedOld) {
          assert.ok(code === DROP.replayedOld || window.high() === 1);
          continue;
        }
        assert.equal(code, expected, `${number} after ${top}`);
        if (code !== 0) continue;
        assert.equal(window.accept(), number > top);
        top = Math.max(top, number);
      }
    }),
    { numRuns: 500 },
  );
});

test("with ESN the high half is found on both sides of 2^32, 2 * 2^32, and inside a subspace", () => {
  for (const size of [32, 64, 4096])
    for (const centre of [TWO_32, 2 * TWO_32, 3 * TWO_32 + 77_777]) {
      const window = createReplayWindow(size, true);
      const model = naiveWindow(size);
      // Walks there in steps that cannot be mistaken for old numbers.
      for (let number = TWO_32 / 2; number < centre - 100_000; number += TWO_32 / 2) {
        assert.equal(window.check(number % TWO_32), model(number));
        window.accept();
      }
      const near = [-3 * size, -size, -5, -1, -4, 0, -2, 1, 2, size, size - 1, 1, 2 * size, 2 * size + 1, size + 1];
      for (const distance of [-5 * size, ...near]) {
        const number = centre + distance;
        const code = window.check(number % TWO_32);
        // An old number is taken for one of the next subspace: the ICV will tell.
        if (model(number) === DROP.replayedOld) {
          assert.equal(code, 0);
          assert.equal(window.high(), Math.floor(number / TWO_32) + 1);
          continue;
        }
        if (code === 0) {
          assert.equal(window.high(), Math.floor(number / TWO_32), `${distance}`);
          window.accept();
        } else assert.equal(code, DROP.replayed);
      }
      // Everything near the top was seen.
      assert.equal(window.check((centre + 2 * size) % TWO_32), DROP.replayed);
    }
});

test("a packet that is only checked leaves the window as it was", () => {
  const window = createReplayWindow(64, false);
  window.check(10);
  window.accept();
  assert.equal(window.check(1_000_000), 0); // forged: never accepted
  assert.equal(window.check(10), DROP.replayed);
  assert.equal(window.check(11), 0);
});

test("without ESN the highest number is accepted once, and nothing follows it", () => {
  const window = createReplayWindow(64, false);
  assert.equal(window.check(0xffff_ffff | 0), 0);
  window.accept();
  assert.equal(window.check(0xffff_ffff), DROP.replayed);
  assert.equal(window.check(0), DROP.replayedOld);
  assert.equal(window.check(1), DROP.replayedOld);
});

test("sequence numbers begin at 1 and never come round", () => {
  const counter = createSequenceCounter(false);
  assert.ok(counter.advance());
  assert.deepEqual([counter.low(), counter.high()], [1, 0]);
  const last = createSequenceCounter(false, lastSequenceNumber(false) - 1);
  assert.ok(last.advance());
  assert.equal(last.low() >>> 0, 0xffff_ffff);
  assert.ok(!last.advance());
  assert.ok(!last.advance());
});

test("extended sequence numbers carry into the high half", () => {
  const counter = createSequenceCounter(true, 3 * TWO_32 - 2);
  const seen: number[][] = [];
  for (let i = 0; i < 3; i++) {
    assert.ok(counter.advance());
    seen.push([counter.high(), counter.low() >>> 0]);
  }
  assert.deepEqual(seen, [
    [2, 0xffff_ffff],
    [3, 0],
    [3, 1],
  ]);
});

test("a lifetime tells its soft limit once, and stops at its hard limit without going over it", () => {
  const told: string[] = [];
  const lifetime = createLifetime({ softOctets: 250, hardOctets: 1000, softPackets: 0, hardPackets: 0 }, (kind) =>
    told.push(`${kind} at ${lifetime.octets()}`),
  );
  const passed = Array.from({ length: 12 }, () => lifetime.count(100)).filter(Boolean).length;
  assert.equal(passed, 10);
  assert.deepEqual([lifetime.octets(), lifetime.packets()], [1000, 10]);
  assert.deepEqual(told, ["soft at 200", "hard at 1000"]);
});

test("packets are limited like octets, and no limits are no limits", () => {
  const told: string[] = [];
  const limited = createLifetime({ softOctets: 0, hardOctets: 0, softPackets: 2, hardPackets: 3 }, (kind) =>
    told.push(kind),
  );
  assert.deepEqual(
    Array.from({ length: 5 }, () => limited.count(1)),
    [true, true, true, false, false],
  );
  assert.deepEqual(told, ["soft", "hard"]);
  const free = createLifetime({ softOctets: 0, hardOctets: 0, softPackets: 0, hardPackets: 0 }, () => assert.fail());
  for (let i = 0; i < 1000; i++) assert.ok(free.count(1e9));
});

test("ciphers with blocks of 64 bits have limits of their own, and the sooner counts", () => {
  const GIB = 2 ** 30;
  const none = { softOctets: 0, hardOctets: 0, softPackets: 5, hardPackets: 6 };
  for (const blockBytes of [1, 4, 16]) assert.equal(withCipherLimits(none, blockBytes), none);
  assert.deepEqual(withCipherLimits(none, 8), { ...none, softOctets: GIB, hardOctets: 4 * GIB });
  const configured = { ...none, softOctets: 9 * GIB, hardOctets: 10 * GIB };
  assert.deepEqual(withCipherLimits(configured, 8), { ...none, softOctets: GIB, hardOctets: 4 * GIB });
  const small = { ...none, softOctets: 900, hardOctets: 1000 };
  assert.deepEqual(withCipherLimits(small, 8), small);
});
