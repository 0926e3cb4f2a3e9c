import assert from "node:assert/strict";
import { checkPrimeSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { backendsOf, createKeyExchange } from "../../crypto/backends.js";
import { hex, octets } from "../../crypto/bytes.js";
import { toNumber, toOctets } from "../../crypto/key-exchange-values.js";
import { MODP_2048_PRIME, MODP_3072_PRIME, MODP_4096_PRIME } from "../../crypto/modp-primes.js";
import { CURVE25519, ECP_256, ECP_384, KEY_EXCHANGE_ROWS, MODP_2048 } from "../../crypto/registry/key-exchange.js";
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";
import { ownSuites } from "../../src/cli/vector-suites.js";

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
      { numRuns: 4, examples: extremes.map((octetsOf, i) => [octetsOf, extremes[(i + 1) % 3]!]) },
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
  const p = toNumber(MODP_2048_PRIME);
  for (const method of methodsOf(MODP_2048)) {
    const privateOctets = secret(new Uint8Array(32).fill(9));
    for (const value of [0n, 1n, p - 1n, p, p + 1n])
      assert.throws(() => method.sharedSecret(privateOctets, toOctets(value, 256)), RangeError, `${value - p}`);
    for (const value of [2n, p - 2n])
      assert.equal(method.sharedSecret(privateOctets, toOctets(value, 256)).length, 256);
  }
});

test("points off the curve, and zero points, are refused (RFC 6989 section 2.3)", () => {
  for (const row of [ECP_256, ECP_384])
    for (const method of methodsOf(row)) {
      const privateOctets = secret(new Uint8Array(row.privateBytes).fill(9));
      const off = method.publicValue(privateOctets);
      off[off.length - 1]! ^= 1;
      assert.throws(() => method.sharedSecret(privateOctets, off), RangeError);
      assert.throws(() => method.sharedSecret(privateOctets, new Uint8Array(row.publicBytes)), RangeError);
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

test("the primes of the MODP groups are safe primes, and those of the vector file", () => {
  const published = ownSuites().find(({ name }) => name === "rfc3526-modp.json")!.cases;
  for (const [i, prime] of [MODP_2048_PRIME, MODP_3072_PRIME, MODP_4096_PRIME].entries()) {
    const group = published[i]!;
    assert.ok(group.kind === "modp-group" && group.prime === hex(prime));
    const p = toNumber(prime);
    assert.ok(checkPrimeSync(p, { checks: 3 }));
    assert.ok(checkPrimeSync((p - 1n) / 2n, { checks: 3 }));
  }
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
