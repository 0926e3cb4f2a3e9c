import assert from "node:assert/strict";
import { test } from "node:test";
import { hex, octets, utf8 } from "../../../crypto/bytes.js";
import {
  formatIdentity,
  formatIdPayload,
  identityOf,
  idPayload,
  parseIdentity,
  sameIdentity,
} from "../../../ike/core/identity.js";
import { vendorName } from "../../../ike/core/vendor-ids.js";

test("identities go from configuration to wire and back (RFC 7296 section 3.5)", () => {
  for (const [words, idType, data] of [
    ["192.0.2.1", 1, "c0000201"],
    ["2001:db8::1", 5, "20010db8000000000000000000000001"],
    ["gw.example.com", 2, hex(utf8("gw.example.com"))],
    ["moon", 2, hex(utf8("moon"))],
    ["user@example.com", 3, hex(utf8("user@example.com"))],
    ["keyid:branch 7", 11, hex(utf8("branch 7"))],
    ["keyid:0xff00", 11, "ff00"],
  ] as const) {
    const identity = parseIdentity(words);
    assert.deepEqual(idPayload(identity), { idType, data: octets(data) }, words);
    assert.equal(formatIdentity(identity), words);
    assert.deepEqual(identityOf(idPayload(identity)), identity);
  }
  assert.deepEqual(parseIdentity("@gw.example.com"), parseIdentity("gw.example.com"));
});

test("what is no identity is refused with the reason", () => {
  for (const [words, reason] of [
    ["", /empty/],
    ["CN=gw, O=Example", /distinguished names are not supported yet/],
    ["gw example", /not an address/],
    ["fe80:::1", /neither an IPv6 address/],
    ["keyid:", /needs a text/],
    ["keyid:0xf", /not hex/],
    ["a b@example.com", /user name/],
  ] as const)
    assert.throws(
      () => parseIdentity(words),
      (error: unknown) => error instanceof RangeError && reason.test(error.message),
      words,
    );
});

test("names compare without regard to case, everything else octet for octet", () => {
  assert(sameIdentity(parseIdentity("GW.Example.com"), parseIdentity("gw.example.COM")));
  assert(sameIdentity(parseIdentity("User@Example.com"), parseIdentity("user@example.com")));
  assert(!sameIdentity(parseIdentity("keyid:A"), parseIdentity("keyid:a")));
  assert(!sameIdentity(parseIdentity("keyid:gw.example.com"), parseIdentity("gw.example.com")));
});

test("a peer's identity that we cannot use is shown, not believed", () => {
  assert.equal(identityOf({ idType: 1, data: octets("c00002") }), undefined);
  assert.equal(identityOf({ idType: 10, data: octets("01") }), undefined);
  assert.equal(formatIdPayload({ idType: 10, data: octets("01") }), "ID type 10 0x01");
  assert.equal(formatIdPayload({ idType: 2, data: utf8("a\nb\u001b[31m") }), "a?b?[31m");
});

test("vendor IDs get a name for the log, and never control characters", () => {
  assert.equal(vendorName(octets("882fe56d6fd20dbc2251613b2ebe5beb")), "strongSwan");
  assert.equal(vendorName(utf8("OE-Libreswan-4.10")), "libreswan (OE-Libreswan-4.10)");
  assert.equal(vendorName(utf8("FLEXVPN-SUPPORTED")), "Cisco FlexVPN (FLEXVPN-SUPPORTED)");
  assert.equal(vendorName(utf8("some box")), '"some box"');
  assert.equal(vendorName(octets("0a1b")), "0a1b");
  assert.equal(vendorName(new Uint8Array(400).fill(0xee)).length, 60);
});
