import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addressFromOctets,
  addressOctets,
  addressWords,
  compareAddresses,
  formatAddress,
  formatPrefix,
  formatSocketAddress,
  parseAddress,
  parsePrefix,
  prefixContains,
} from "../../esp/address.js";

const ipv4 = fc.bigInt({ min: 0n, max: 0xffff_ffffn }).map((value) => ({ family: 4 as const, value }));
const ipv6 = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((groups) => ({ family: 6 as const, value: groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n) }));

test("an address survives its text and its octets", () => {
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), (address) => {
      assert.deepEqual(parseAddress(formatAddress(address)), address);
      assert.deepEqual(addressFromOctets(addressOctets(address)), address);
      const words = addressWords(address.family, address.value);
      assert.equal(
        words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n),
        address.value,
      );
    }),
  );
});

test("IPv6 addresses are written as RFC 5952 wants them", () => {
  const forms: Record<string, string> = {
    "2001:0DB8:0:0:0:0:0:0001": "2001:db8::1",
    "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
    "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
    "2001:0:0:1:0:0:0:1": "2001:0:0:1::1",
    "0:0:0:0:0:0:0:0": "::",
    "1:0:0:0:0:0:0:0": "1::",
    "::ffff:c000:201": "::ffff:192.0.2.1",
    "64:ff9b::192.0.2.33": "64:ff9b::c000:221",
  };
  for (const [text, form] of Object.entries(forms)) assert.equal(formatAddress(parseAddress(text)), form);
});

test("what is no address is refused with its text", () => {
  const wrong = [
    "",
    "1.2.3",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.4.5",
    "1::2::3",
    "1:2:3:4:5:6:7:8:9",
    "12345::",
    "::1%eth0",
    ":::",
    "1:2:3:4:5:6:7:8::",
    "1.2.3.4::",
  ];
  for (const text of wrong)
    assert.throws(() => parseAddress(text), { name: "RangeError", message: /not an IP address/ });
});

test("a prefix has no host bits, and a host is a prefix of full length", () => {
  assert.equal(formatPrefix(parsePrefix("10.0.0.0/8")), "10.0.0.0/8");
  assert.equal(formatPrefix(parsePrefix("0.0.0.0/0")), "0.0.0.0/0");
  assert.equal(formatPrefix(parsePrefix("2001:db8::/32")), "2001:db8::/32");
  assert.equal(formatPrefix(parsePrefix("192.0.2.1")), "192.0.2.1/32");
  assert.throws(() => parsePrefix("10.0.0.1/8"), /the prefix is 10\.0\.0\.0\/8/);
  for (const text of ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/8/8", "::/129"])
    assert.throws(() => parsePrefix(text), RangeError);
});

test("a prefix contains the addresses of its family that begin with it", () => {
  assert.ok(prefixContains(parsePrefix("10.0.0.0/8"), parseAddress("10.255.0.1")));
  assert.ok(!prefixContains(parsePrefix("10.0.0.0/8"), parseAddress("11.0.0.0")));
  assert.ok(!prefixContains(parsePrefix("0.0.0.0/0"), parseAddress("::1")));
  assert.ok(prefixContains(parsePrefix("2001:db8::/33"), parseAddress("2001:db8:7fff::1")));
  assert.ok(!prefixContains(parsePrefix("2001:db8::/33"), parseAddress("2001:db8:8000::1")));
});

test("addresses sort by family and number, and show their port", () => {
  const texts = ["::1", "10.0.0.2", "9.255.255.255", "::", "10.0.0.1"];
  const sorted = texts.map(parseAddress).sort(compareAddresses).map(formatAddress);
  assert.deepEqual(sorted, ["9.255.255.255", "10.0.0.1", "10.0.0.2", "::", "::1"]);
  assert.equal(formatSocketAddress({ address: parseAddress("192.0.2.1"), port: 500 }), "192.0.2.1:500");
  assert.equal(formatSocketAddress({ address: parseAddress("2001:db8::1"), port: 4500 }), "[2001:db8::1]:4500");
});
