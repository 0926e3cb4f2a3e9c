import assert from "node:assert/strict";
import { test } from "node:test";
import { createHash } from "../../../crypto/backends.js";
import { concat, hex, octets, utf8 } from "../../../crypto/bytes.js";
import { PRF_HMAC_MD5 } from "../../../crypto/registry/prf.js";
import { FEATURE_VENDOR_ID, OPAQUE_VENDORS, vendorName } from "../../../ike/core/vendor-ids.js";
import { initiatorVendorIds, responderVendorIds, vendorFeatures } from "../../../ike/v1/vendor-features.js";

const md5 = createHash(PRF_HMAC_MD5);
const NOTHING = vendorFeatures([]);

test("every vendor ID that is the MD5 of a published text is that, and none is listed twice", () => {
  for (const { prefix, md5Of } of OPAQUE_VENDORS)
    if (md5Of !== undefined) assert(hex(md5.digest(utf8(md5Of))).startsWith(prefix), md5Of);
  assert.equal(new Set(OPAQUE_VENDORS.map(({ prefix }) => prefix)).size, OPAQUE_VENDORS.length);
  assert(OPAQUE_VENDORS.filter(({ md5Of }) => md5Of !== undefined).length > 20);
});

test("products are known by name", () => {
  const name = (data: string) => vendorName(octets(data));
  assert.equal(name("4a131c81070358455c5728f20e95452f"), "NAT traversal (RFC 3947)");
  assert.equal(name("afcad71368a1f1c96b8696fc77570100"), "dead peer detection");
  assert.equal(name("12f5f28c457168a9702d9fe274cc0204"), "Cisco Unity");
  assert.equal(name("4048b7d56ebce88525e7de7f00d6c2d3c0000000"), "fragmentation (Cisco, Microsoft)");
  assert.equal(name("699369228741c6d4ca094c93e242c9de19e7b7c60000000500000500"), "Juniper NetScreen");
  assert.equal(vendorName(utf8("HeartBeat_Notify8k")), "Juniper heartbeat (HeartBeat_Notify8k)");
  assert.equal(vendorName(utf8("OE-Libreswan-4.10")), "libreswan (OE-Libreswan-4.10)");
});

test("the best form of NAT traversal that the peer announces is used", () => {
  const { natTraversal, natTraversalDraft2, natTraversalDraft2Line, natTraversalDraft3 } = FEATURE_VENDOR_ID;
  const best = (...ids: Uint8Array[]) => vendorFeatures(ids).natTraversal?.vendorId;
  assert.equal(best(natTraversalDraft2, natTraversalDraft3, natTraversal), "natTraversal");
  assert.equal(best(natTraversalDraft2, natTraversalDraft3), "natTraversalDraft3");
  assert.equal(best(natTraversalDraft2, natTraversalDraft2Line), "natTraversalDraft2Line");
  assert.equal(best(natTraversalDraft2), "natTraversalDraft2");
  assert.equal(best(octets("4485152d18b6bbcd0be8a8469579ddcc")), undefined);
  assert.equal(best(concat(natTraversal, octets("00"))), undefined);
});

test("dead peer detection and Cisco Unity are known in any version, XAUTH by its eight octets", () => {
  const features = vendorFeatures([
    octets("afcad71368a1f1c96b8696fc77570102"),
    octets("12f5f28c457168a9702d9fe274cc0204"),
    octets("09002689dfd6b712"),
  ]);
  assert.deepEqual(features, { deadPeerDetection: true, ciscoUnity: true, xauth: true, fragmentation: false });
  assert.deepEqual(NOTHING, { deadPeerDetection: false, ciscoUnity: false, xauth: false, fragmentation: false });
  assert.equal(vendorFeatures([octets("afcad713")]).deadPeerDetection, false);
});

test("fragmentation is announced without flags, or with the one for main and aggressive mode", () => {
  const announced = (flags: string) =>
    vendorFeatures([concat(FEATURE_VENDOR_ID.fragmentation, octets(flags))]).fragmentation;
  assert.deepEqual(["", "80000000", "c0000000", "40000000", "00"].map(announced), [true, true, true, false, false]);
});

test("the initiator announces all that it speaks, the responder what was agreed and nothing to who announces nothing", () => {
  const announced = vendorFeatures(initiatorVendorIds({ fragmentation: true }));
  assert.equal(announced.natTraversal?.vendorId, "natTraversal");
  assert(announced.deadPeerDetection && announced.fragmentation && !announced.xauth && !announced.ciscoUnity);
  assert.equal(vendorFeatures(initiatorVendorIds({ fragmentation: false })).fragmentation, false);
  const answered = (peer: typeof NOTHING) => responderVendorIds(peer, { fragmentation: true }).map(hex);
  assert.deepEqual(answered(NOTHING), []);
  assert.deepEqual(answered(announced), [
    hex(FEATURE_VENDOR_ID.natTraversal),
    hex(FEATURE_VENDOR_ID.deadPeerDetection),
    `${hex(FEATURE_VENDOR_ID.fragmentation)}80000000`,
  ]);
  assert(
    !responderVendorIds(announced, { fragmentation: false })
      .map(hex)
      .some((id) => id.startsWith("4048")),
  );
});
