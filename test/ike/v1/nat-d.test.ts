import assert from "node:assert/strict";
import { test } from "node:test";
import { createHash } from "../../../crypto/backends.js";
import { hex, octets } from "../../../crypto/bytes.js";
import { PRF_HMAC_MD5, PRF_HMAC_SHA1 } from "../../../crypto/registry/prf.js";
import { type Path, parseAddress } from "../../../esp/address.js";
import { natWords } from "../../../ike/core/nat.js";
import {
  encapsulationModes,
  isUdpEncapsulation,
  NAT_TRAVERSALS,
  natDetectionHashV1,
  natDetectionV1,
  natVerdictV1,
} from "../../../ike/v1/nat-d.js";
import { payloadV1 } from "../../../ike/wire/message-v1.js";

const sha1 = createHash(PRF_HMAC_SHA1);
const COOKIES = { initiatorCookie: 0x1122334455667788n, responderCookie: 0x99aabbccddeeff00n };
const end = (address: string, port: number) => ({ address: parseAddress(address), port });
const PATH: Path = { local: end("192.0.2.1", 500), remote: end("198.51.100.2", 500) };
const back = ({ local, remote }: Path): Path => ({ local: remote, remote: local });

test("NAT-D is hash(CKY-I | CKY-R | IP | Port), with the hash of phase 1 (RFC 3947 section 3.2)", () => {
  const input = octets("112233445566778899aabbccddeeff00c000020101f4");
  assert.equal(hex(natDetectionHashV1(sha1, COOKIES, PATH.local)), hex(sha1.digest(input)));
  const md5 = createHash(PRF_HMAC_MD5);
  assert.equal(hex(natDetectionHashV1(md5, COOKIES, PATH.local)), hex(md5.digest(input)));
  const six = natDetectionHashV1(sha1, COOKIES, end("2001:db8::1", 4500));
  assert.equal(hex(six), hex(sha1.digest(octets(`112233445566778899aabbccddeeff0020010db8${"00".repeat(11)}011194`))));
});

test("each form of NAT traversal uses its own payloads, and says where a NAT is", () => {
  for (const form of NAT_TRAVERSALS) {
    const verdict = (path: Path, encapsulation: "auto" | "udp" = "auto") =>
      natWords(natVerdictV1(form, sha1, COOKIES, path, natDetectionV1(form, sha1, COOKIES, back(PATH), encapsulation)));
    assert.equal(verdict(PATH), "none");
    assert.equal(verdict({ ...PATH, local: end("10.0.0.9", 500) }), "here");
    assert.equal(verdict({ ...PATH, remote: end("198.51.100.2", 61001) }), "peer");
    assert.equal(verdict({ local: end("10.0.0.9", 500), remote: end("203.0.113.9", 500) }), "both");
    assert.equal(verdict(PATH, "udp"), "peer");
  }
  const [rfc, draft] = NAT_TRAVERSALS;
  assert.equal(
    natVerdictV1(rfc!, sha1, COOKIES, PATH, natDetectionV1(draft!, sha1, COOKIES, back(PATH), "auto")).supported,
    false,
  );
});

test("several addresses of the peer's own are allowed, one alone proves nothing", () => {
  const [form] = NAT_TRAVERSALS;
  const [destination, source] = natDetectionV1(form!, sha1, COOKIES, back(PATH), "auto");
  const other = payloadV1("NAT-D", { data: octets("00".repeat(20)) });
  assert.equal(natVerdictV1(form!, sha1, COOKIES, PATH, [destination!, other, source!]).peer, false);
  assert.equal(natVerdictV1(form!, sha1, COOKIES, PATH, [destination!, other]).peer, true);
  assert.equal(natVerdictV1(form!, sha1, COOKIES, PATH, [destination!]).supported, false);
  assert.equal(natVerdictV1(form!, sha1, COOKIES, PATH, [other, other]).here, true);
});

test("behind a NAT the mode is UDP tunnel, under the number of the form that was agreed; both are accepted", () => {
  const [rfc, draft] = NAT_TRAVERSALS;
  assert.deepEqual(encapsulationModes(rfc, true), ["udpTunnel", "tunnel"]);
  assert.deepEqual(encapsulationModes(draft, true), ["udpTunnelDraft", "tunnel"]);
  assert.deepEqual(encapsulationModes(rfc, false), ["tunnel", "udpTunnel"]);
  assert.deepEqual(encapsulationModes(undefined, true), ["tunnel"]);
  assert.deepEqual((["tunnel", "udpTunnel", "udpTunnelDraft"] as const).map(isUdpEncapsulation), [false, true, true]);
});
