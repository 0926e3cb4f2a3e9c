import assert from "node:assert/strict";
import { test } from "node:test";
import { createLifetime } from "../../esp/lifetime.js";

const MIB = 2 ** 20;

/** What is told, and after how many seconds, when every second carries `octets` in one packet. */
function run(octets: number, hardOctets: number, hardPackets = 0): readonly (readonly [string, number])[] {
  const told: (readonly [string, number])[] = [];
  let second = 0;
  const volume = { softOctets: Math.floor(hardOctets * 0.9), hardOctets, softPackets: 0, hardPackets };
  const lifetime = createLifetime(volume, (kind) => told.push([kind, second]));
  for (; second < 1000 && told.length < 2; second++) {
    lifetime.pace(second * 1000);
    lifetime.count(octets);
  }
  return told;
}

test("at any rate the soft volume limit leaves thirty seconds, or comes as soon as the rate is known", () => {
  for (const octets of [MIB, 5 * MIB, 9 * MIB]) {
    const [soft, hard] = run(octets, 300 * MIB);
    assert.deepEqual([soft![0], hard![0]], ["soft", "hard"]);
    assert(hard![1] - soft![1] >= 29, `${hard![1] - soft![1]} s at ${octets} octets a second`);
  }
  assert.deepEqual(run(100 * MIB, 300 * MIB)[0], ["soft", 1]);
});

test("a slow child has its soft limit at nine tenths of the hard one", () => {
  const [soft] = run(MIB / 10, 30 * MIB);
  assert.deepEqual(soft, ["soft", 269]);
});

test("a limit in packets follows the rate as well, and a child without limits is never told", () => {
  const [soft, hard] = run(100, 0, 200);
  assert.deepEqual([soft![0], hard![0]], ["soft", "hard"]);
  assert(hard![1] - soft![1] >= 29);
  assert.deepEqual(run(100 * MIB, 0), []);
});
