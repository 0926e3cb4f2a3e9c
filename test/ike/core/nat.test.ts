import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { hex } from "../../../crypto/bytes.js";
import { type Path, parseAddress } from "../../../esp/address.js";
import { NO_NAT, natDetection, natDetectionHash, natVerdict, natWords } from "../../../ike/core/nat.js";
import { notification } from "../../../ike/wire/payloads/notify.js";

const SPIS = { initiatorSpi: 0x0102030405060708n, responderSpi: 0n };
const at = (address: string, port: number) => ({ address: parseAddress(address), port });
const swap = ({ local, remote }: Path): Path => ({ local: remote, remote: local });
const PATH = { local: at("192.0.2.1", 500), remote: at("198.51.100.2", 500) };

test("the hash is SHA-1 over SPIs, address and port in network order (RFC 7296 section 2.23)", () => {
  const octets = Buffer.from("01020304050607080000000000000000c000020101f4", "hex");
  assert.equal(hex(natDetectionHash(SPIS, PATH.local)), createHash("sha1").update(octets).digest("hex"));
  const ipv6 = Buffer.from("0102030405060708000000000000000020010db80000000000000000000000011194", "hex");
  assert.equal(hex(natDetectionHash(SPIS, at("2001:db8::1", 4500))), createHash("sha1").update(ipv6).digest("hex"));
});

test("without a NAT both sides see what the other one sent", () => {
  const sent = natDetection(SPIS, PATH, "auto");
  assert.deepEqual(natVerdict(SPIS, swap(PATH), sent), { supported: true, here: false, peer: false });
});

test("a changed source is a NAT at the peer, a changed destination one here", () => {
  const sent = natDetection(SPIS, PATH, "auto");
  const translatedSource = { local: PATH.remote, remote: at("203.0.113.9", 20_000) };
  assert.deepEqual(natVerdict(SPIS, translatedSource, sent), { supported: true, here: false, peer: true });
  const translatedDestination = { local: at("10.0.0.1", 500), remote: PATH.local };
  assert.equal(natWords(natVerdict(SPIS, translatedDestination, sent)), "here");
  const portOnly = { local: PATH.remote, remote: at("192.0.2.1", 501) };
  assert.equal(natWords(natVerdict(SPIS, portOnly, sent)), "peer");
});

test("one of several source hashes that matches is enough", () => {
  const other = notification("NAT_DETECTION_SOURCE_IP", natDetectionHash(SPIS, at("192.0.2.77", 500)));
  assert.equal(natWords(natVerdict(SPIS, swap(PATH), [other, ...natDetection(SPIS, PATH, "auto")])), "none");
});

test("`encapsulation: udp` makes the peer believe in a NAT here", () => {
  const sent = natDetection(SPIS, PATH, "udp");
  assert.deepEqual(natVerdict(SPIS, swap(PATH), sent), { supported: true, here: false, peer: true });
});

test("a peer that sends no hashes does no NAT traversal", () => {
  assert.deepEqual(natVerdict(SPIS, PATH, []), NO_NAT);
  assert.deepEqual(natVerdict(SPIS, PATH, natDetection(SPIS, PATH, "auto").slice(1)), NO_NAT);
});
