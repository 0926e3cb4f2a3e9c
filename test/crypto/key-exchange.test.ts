import assert from "node:assert/strict";
import { checkPrimeSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { backendsOf, createKeyExchange } from "../../crypto/backends.js";
import { hex, octets } from "../../crypto/bytes.js";
import { type ModpGroup, power, toNumber, toOctets } from "../../crypto/key-exchange-values.js";
import { MODP_1024_160_GROUP, MODP_2048_224_GROUP, MODP_2048_256_GROUP } from "../../crypto/modp-subgroups.js";
import {
  BRAINPOOL_P224R1,
  BRAINPOOL_P256R1,
  BRAINPOOL_P384R1,
  BRAINPOOL_P512R1,
} from "../../crypto/portable/brainpool.js";
import {
  CURVE448,
  CURVE25519,
  KEY_EXCHANGE_ROWS,
  MODP_1024_160,
  MODP_2048_224,
  MODP_2048_256,
} from "../../crypto/registry/key-exchange.js";
import { rowByKeyword } from "../../crypto/registry/lookup.js";
import { notYetSupported } from "../../crypto/registry/not-yet.js";
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";
import { ownSuites } from "../../src/cli/vector-suites.js";

/** Groups over a field of a prime, by the shape of their names; the others are curves. */
const MODP_ROWS = KEY_EXCHANGE_ROWS.filter(({ name }) => name.includes("MODP"));
const ECP_ROWS = KEY_EXCHANGE_ROWS.filter(({ name }) => name.includes("ECP") || name.startsWith("brainpool"));
const SUBGROUPS: readonly (readonly [KeyExchangeRow, ModpGroup])[] = [
  [MODP_1024_160, MODP_1024_160_GROUP],
  [MODP_2048_224, MODP_2048_224_GROUP],
  [MODP_2048_256, MODP_2048_256_GROUP],
];
/** BigInt needs seconds for some exchanges in the largest groups. */
const runsOf = (row: KeyExchangeRow): number => (row.publicBytes > 512 ? 1 : 4);

for (const row of KEY_EXCHANGE_ROWS) {
  test(`${row.name}: backends agree for any private octets, and both sides reach one secret`, () => {
    const any = fc.uint8Array({ minLength: row.privateBytes, maxLength: row.privateBytes });
    const methods = backendsOf(row).map((backend) => createKeyExchange(row, backend));
    assert.ok(methods.length >= 2);
    const extremes = [0, 1, 0xff].map((octet) => new Uint8Array(row.privateBytes).fill(octet));
    fc.assert(
      fc.property(any, any, (ours, theirs) => {
        const publicValues = methods.map((method) => method.publicValue(secret(theirs)));
        for (const value of publicValues) {
          assert.equal(value.length, row.publicBytes);
          assert.equal(hex(value), hex(publicValues[0]!));
        }
        const back = methods[0]!.publicValue(secret(ours));
        const shared = methods.map((method) => hex(method.sharedSecret(secret(ours), publicValues[0]!).reveal()));
        shared.push(hex(methods[0]!.sharedSecret(secret(theirs), back).reveal()));
        assert.equal(new Set(shared).size, 1);
      }),
      {
        numRuns: 3 + runsOf(row),
        examples: extremes.map((octetsOf, i): [Uint8Array, Uint8Array] => [octetsOf, extremes[(i + 1) % 3]!]),
      },
    );
  });

  test(`${row.name}: a public value of a wrong length, or too few private octets, is refused`, () => {
    for (const method of methodsOf(row)) {
      const privateOctets = secret(new Uint8Array(row.privateBytes).fill(7));
      const value = method.publicValue(privateOctets);
      const refused = (peer: Uint8Array) => assert.throws(() => method.sharedSecret(privateOctets, peer), RangeError);
      refused(value.slice(1));
      refused(new Uint8Array([0, ...value]));
      refused(new Uint8Array(0));
      assert.throws(() => method.publicValue(secret(new Uint8Array(row.privateBytes - 1))), RangeError);
    }
  });
}

test("MODP values outside 2..p-2 are refused (RFC 6989 section 2.1)", () => {
  for (const row of MODP_ROWS) {
    const p = primeOf(row);
    const safe = SUBGROUPS.every(([subgroup]) => subgroup !== row);
    for (const method of methodsOf(row)) {
      const privateOctets = secret(new Uint8Array(row.privateBytes).fill(9));
      for (const value of [0n, 1n, p - 1n, p, p + 1n])
        assert.throws(
          () => method.sharedSecret(privateOctets, toOctets(value, row.publicBytes)),
          /public value out of the range 2\.\.p-2/,
          `${value - p}`,
        );
      if (safe && row.publicBytes <= 512)
        for (const value of [2n, p - 2n])
          assert.equal(method.sharedSecret(privateOctets, toOctets(value, row.publicBytes)).length, row.publicBytes);
    }
  }
});

test("in groups 22 to 24 a value outside the subgroup of order q is refused (RFC 6989 section 2.2)", () => {
  for (const [row, group] of SUBGROUPS) {
    const p = toNumber(group.prime);
    const q = toNumber(group.order!);
    const g = toNumber(group.generator);
    const strange = power(3n, (p - 1n) / (2n * q), p); // of an order that divides 2q, multiplied below with an honest value
    const honest = power(g, 123456789n, p);
    const values = [2n, p - 2n, p - honest, (honest * strange) % p].filter((value) => power(value, q, p) !== 1n);
    assert.ok(values.length >= 2 && values.includes(p - honest));
    for (const method of methodsOf(row)) {
      const privateOctets = secret(new Uint8Array(row.privateBytes).fill(9));
      for (const value of values)
        assert.throws(
          () => method.sharedSecret(privateOctets, toOctets(value, row.publicBytes)),
          (error) => error instanceof RangeError && /outside the subgroup of prime order/.test(error.message),
        );
      assert.equal(method.sharedSecret(privateOctets, toOctets(honest, row.publicBytes)).length, row.publicBytes);
    }
  }
});

test("points off the curve, and zero points, are refused (RFC 6989 section 2.3)", () => {
  assert.equal(ECP_ROWS.length, 7);
  for (const row of ECP_ROWS)
    for (const method of methodsOf(row)) {
      const privateOctets = secret(new Uint8Array(row.privateBytes).fill(9));
      const value = method.publicValue(privateOctets);
      const refused = (peer: Uint8Array) => assert.throws(() => method.sharedSecret(privateOctets, peer), RangeError);
      const off = value.slice();
      off[off.length - 1]! ^= 1;
      refused(off);
      refused(new Uint8Array(row.publicBytes)); // x = y = 0
      refused(new Uint8Array(row.publicBytes).fill(0xff)); // coordinates above the prime
      const half = row.publicBytes / 2;
      refused(new Uint8Array([...value.subarray(half), ...value.subarray(0, half)]));
    }
});

test("points of small order on Curve25519 are refused (RFC 8031 section 4)", () => {
  const small = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ];
  for (const method of methodsOf(CURVE25519))
    for (const point of small)
      assert.throws(() => method.sharedSecret(secret(new Uint8Array(32).fill(3)), octets(point)), RangeError, point);
});

test("points of small order on Curve448 are refused (RFC 8031 section 4)", () => {
  const p = 2n ** 448n - 2n ** 224n - 1n;
  for (const method of methodsOf(CURVE448))
    for (const u of [0n, 1n, p - 1n, p, p + 1n])
      assert.throws(
        () => method.sharedSecret(secret(new Uint8Array(56).fill(3)), toOctets(u, 56).reverse()),
        RangeError,
        `${u}`,
      );
});

for (const row of MODP_ROWS) {
  if (SUBGROUPS.some(([subgroup]) => subgroup === row)) continue;
  test(`${row.name}: the prime is a safe prime p = 2q + 1, and 2 generates the subgroup of order q`, () => {
    const p = primeOf(row);
    const q = (p - 1n) / 2n;
    assert.equal(p.toString(16).length, 2 * row.publicBytes);
    for (const base of [2n, 3n, 5n]) assert.ok(passesMillerRabin(q, base), `q to base ${base}`);
    assert.equal(power(2n, p - 1n, p), 1n); // Pocklington: with q a prime factor of p-1 above the root of p, and gcd(2^2 - 1, p) = 1,
    assert.notEqual(p % 3n, 0n); // this proves that p is a prime if q is one
    assert.equal(p % 8n, 7n); // so 2 is a square: its order divides the prime q, and is not 1
  });
}

test("groups 22 to 24: p and q are primes, q divides p-1, and g has order q (RFC 5114 section 2)", () => {
  for (const [row, group] of SUBGROUPS) {
    const [p, q, g] = [group.prime, group.order!, group.generator].map(toNumber) as [bigint, bigint, bigint];
    assert.ok(checkPrimeSync(p, { checks: 8 }) && checkPrimeSync(q, { checks: 8 }), row.name);
    assert.equal((p - 1n) % q, 0n);
    assert.ok(g > 1n && g < p - 1n);
    assert.equal(power(g, q, p), 1n);
    assert.equal(q.toString(2).length, Number(/(\d+)-bit Prime/.exec(row.name)![1]));
  }
});

test("the brainpool curves: p and n are primes, the base point is on the curve and has order n", () => {
  for (const curve of [BRAINPOOL_P224R1, BRAINPOOL_P256R1, BRAINPOOL_P384R1, BRAINPOOL_P512R1]) {
    const { p, n } = curve.CURVE();
    assert.ok(checkPrimeSync(p, { checks: 8 }) && checkPrimeSync(n, { checks: 8 }));
    curve.BASE.assertValidity();
    assert.ok(curve.BASE.isTorsionFree());
    assert.ok(curve.BASE.multiplyUnsafe(n - 1n).equals(curve.BASE.negate()));
  }
});

test("every group of the contract has a row, by number and by the words that strongSwan's users know", () => {
  const words: Readonly<Record<number, string>> = {
    1: "modp768",
    2: "modp1024",
    5: "modp1536",
    14: "modp2048",
    15: "modp3072",
    16: "modp4096",
    17: "modp6144",
    18: "modp8192",
    19: "ecp256",
    20: "ecp384",
    21: "ecp521",
    22: "modp1024s160",
    23: "modp2048s224",
    24: "modp2048s256",
    27: "ecp224bp",
    28: "ecp256bp",
    29: "ecp384bp",
    30: "ecp512bp",
    31: "x25519 curve25519",
    32: "x448 curve448",
  };
  for (const [number, keywords] of Object.entries(words))
    for (const word of [...keywords.split(" "), `dh${number}`]) {
      const row = rowByKeyword(word)?.row;
      assert.equal(row?.kind, "keyExchange", word);
      assert.equal(row.ids.ikev2, Number(number), word);
      // IKEv1 has the same numbers, but none for the curves of RFC 8031.
      assert.equal(row.ids.phase1, Number(number) < 31 ? Number(number) : undefined, word);
      assert.equal(row.ids.phase2, row.ids.phase1, word);
      assert.ok(!notYetSupported().includes(word), word);
    }
  assert.equal(KEY_EXCHANGE_ROWS.length, Object.keys(words).length);
});

test("the levels of the groups are those of RFC 8247 section 2.4", () => {
  const levels = new Map<string, (number | undefined)[]>();
  for (const { level, ids } of KEY_EXCHANGE_ROWS) {
    assert.equal(level.esp, level.ike);
    levels.set(level.ike, [...(levels.get(level.ike) ?? []), ids.ikev2]);
  }
  assert.deepEqual(Object.fromEntries(levels), {
    MUST: [14],
    SHOULD: [19],
    "SHOULD NOT": [2, 5, 23, 24],
    "MUST NOT": [1, 22],
    none: [15, 16, 17, 18, 20, 21, 27, 28, 29, 30, 31, 32],
  });
});

test("the same private octets give the same public value at any time", () => {
  for (const row of KEY_EXCHANGE_ROWS)
    for (const method of methodsOf(row)) {
      const one = secret(new Uint8Array(row.privateBytes).fill(1));
      const two = secret(new Uint8Array(row.privateBytes).fill(2));
      const first = hex(method.publicValue(one));
      assert.notEqual(hex(method.publicValue(two)), first);
      assert.equal(hex(method.publicValue(one)), first);
    }
});

function methodsOf(row: KeyExchangeRow) {
  return backendsOf(row).map((backend) => createKeyExchange(row, backend));
}

/** The published prime of a MODP group. */
function primeOf(row: KeyExchangeRow): bigint {
  const subgroup = SUBGROUPS.find(([candidate]) => candidate === row);
  if (subgroup) return toNumber(subgroup[1].prime);
  const published = ownSuites()
    .find(({ name }) => name === row.vectors)!
    .cases.find((entry) => entry.row === row.name)!;
  assert.equal(published.kind, "modp-group");
  return toNumber(octets(published.kind === "modp-group" ? published.prime : ""));
}

/** One round of Miller and Rabin; OpenSSL's own test takes half a minute for 8192 bits. */
function passesMillerRabin(candidate: bigint, base: bigint): boolean {
  let odd = candidate - 1n;
  let twos = 0;
  for (; odd % 2n === 0n; odd /= 2n) twos++;
  let value = power(base, odd, candidate);
  if (value === 1n) return true;
  for (let i = 0; i < twos; i++, value = (value * value) % candidate) if (value === candidate - 1n) return true;
  return false;
}
