import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, octets } from "../../../crypto/bytes.js";
import { ProtocolError } from "../../../ike/core/errors.js";
import {
  lifetimeAttributes,
  lifetimesOf,
  responderLifetime,
  responderLifetimeOf,
  shorter,
} from "../../../ike/v1/lifetimes.js";

test("the shorter lifetime of each kind counts, and one that only one side says counts as it is", () => {
  assert.deepEqual(shorter({ seconds: 3600, kilobytes: 1000 }, { seconds: 28_800 }), {
    seconds: 3600,
    kilobytes: 1000,
  });
  assert.deepEqual(shorter({ seconds: 3600 }, { seconds: 600, kilobytes: 7 }), { seconds: 600, kilobytes: 7 });
  assert.deepEqual(shorter({}, {}), {});
});

test("lifetimes go into attributes of either phase and come back, beyond two octets in the long form", () => {
  for (const phase of [1, 2] as const)
    for (const lifetimes of [{ seconds: 60 }, { kilobytes: 4_608_000 }, { seconds: 86_400, kilobytes: 2560 }, {}])
      assert.deepEqual(lifetimesOf(phase, lifetimeAttributes(phase, lifetimes)), lifetimes);
});

test("a duration counts in the unit that was named before it; seconds where none was; zero and strange units not at all", () => {
  const life = (...pairs: (readonly [number, number])[]) =>
    lifetimesOf(
      2,
      pairs.map(([type, value]) => ({ type, value })),
    );
  assert.deepEqual(life([2, 500]), { seconds: 500 });
  assert.deepEqual(life([1, 2], [2, 500], [1, 1], [2, 60]), { kilobytes: 500, seconds: 60 });
  assert.deepEqual(life([1, 3], [2, 500]), {});
  assert.deepEqual(life([1, 1], [2, 0]), {});
  assert.deepEqual(life([1, 1], [2, 900], [1, 1], [2, 300]), { seconds: 300 });
});

test("a duration of any length is a number: no octets say nothing, many say very long", () => {
  const duration = (value: string) =>
    lifetimesOf(1, [
      { type: 11, value: 1 },
      { type: 12, value: octets(value) },
    ]);
  assert.deepEqual(duration("00000000000000000e10"), { seconds: 3600 });
  assert.deepEqual(duration("ff".repeat(40)), { seconds: Number.MAX_SAFE_INTEGER });
  assert.deepEqual(duration(""), {});
  assert.deepEqual(lifetimesOf(1, lifetimeAttributes(1, { seconds: 2 ** 40 })), { seconds: 0xffff_ffff });
});

test("RESPONDER-LIFETIME carries the same attributes, and a broken one is refused", () => {
  const lifetimes = { seconds: 1800, kilobytes: 100_000 };
  assert.equal(hex(responderLifetime(2, lifetimes)), `80010001${"80020708"}${"80010002"}00020004000186a0`);
  assert.deepEqual(responderLifetimeOf(2, responderLifetime(2, lifetimes)), lifetimes);
  assert.throws(() => responderLifetimeOf(2, octets("800100")), ProtocolError);
  assert.throws(() => responderLifetimeOf(2, octets("80010001".repeat(33))), /more than 32 attributes/);
});
