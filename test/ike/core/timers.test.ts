import assert from "node:assert/strict";
import { test } from "node:test";
import { GIVE_UP_AFTER, outstanding, sentAgain } from "../../../ike/core/retransmit.js";
import { pause, probeAt, RECONNECT, softLife, verdictAt } from "../../../ike/core/timers.js";
import { seededRandom } from "../../sim/random.js";

const NEVER = (length: number) => new Uint8Array(length);
const ALWAYS = (length: number) => new Uint8Array(length).fill(0xff);

test("the margin before the end of a lifetime is a tenth, at least two whole retransmissions, at most half", () => {
  assert.equal(softLife(86_400, undefined, NEVER), 86_400_000 * 0.9);
  assert.equal(softLife(600, undefined, NEVER), 480_000);
  assert.equal(softLife(60, undefined, NEVER), 30_000);
  assert.equal(softLife(600, 10, NEVER), 590_000);
});

test("jitter renews up to a tenth sooner, and never later", () => {
  const { octets } = seededRandom(1);
  for (let i = 0; i < 200; i++) {
    const life = softLife(3600, undefined, octets);
    assert(life <= 3_240_000 && life >= 3_240_000 * 0.9 - 1);
  }
});

test("pauses double from two seconds to a minute, with up to a quarter of jitter", () => {
  const pauses = [1, 2, 3, 4, 5, 6, 100].map((attempts) => pause(RECONNECT, attempts, NEVER));
  assert.deepEqual(pauses, [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  assert(pause(RECONNECT, 1, ALWAYS) <= 2_500);
});

test("requests are repeated with doubled intervals up to ten seconds", () => {
  let request = outstanding({ bytes: new Uint8Array(1) }, 0);
  const times: number[] = [];
  while (request.nextAt < GIVE_UP_AFTER) {
    times.push(request.nextAt);
    request = sentAgain(request, request.nextAt);
  }
  assert.deepEqual(times, [500, 1_500, 3_500, 7_500, 15_500, 25_500, 35_500, 45_500, 55_500]);
});

test("the verdict comes at the timeout after the last sign of life, but leaves a request two thirds of it, and a minute at most beyond", () => {
  assert.equal(probeAt(1_000, 30), 11_000);
  assert.equal(verdictAt(11_000, 1_000, 30), 31_000);
  assert.equal(verdictAt(29_000, 1_000, 30), 49_000);
  assert.equal(verdictAt(0, 1_000_000, 30), GIVE_UP_AFTER, "alive by ESP, but deaf to IKE");
  assert.equal(verdictAt(0, 1_000_000, 300), 300_000);
  assert.equal(verdictAt(5_000, 0, undefined), 65_000);
});
