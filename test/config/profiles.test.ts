import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../crypto/bytes.js";
import { weaknessesOf } from "../../crypto/registry/level.js";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import { QUIRKS, quirksOfProfile, vendorStory } from "../../ike/core/quirks.js";
import { FEATURE_VENDOR_ID } from "../../ike/core/vendor-ids.js";
import { PROFILES, type ProfileName } from "../../src/config/profiles.js";
import { accepted, oneTunnel, refused } from "./reading.js";

const NAMES = Object.keys(PROFILES) as ProfileName[];
const tunnelOf = (tunnel: string, top = "") => accepted(oneTunnel(tunnel, top)).policy.tunnels[0]!;

test("every profile is accepted in both versions and both modes, and brings nothing that the RFCs forbid", () => {
  for (const name of NAMES)
    for (const ike of ["{}", "{ version: 1 }", "{ version: 2 }", "{ version: 1, exchange: aggressive }"]) {
      const { ike: phase1, esp } = tunnelOf(`    profile: ${name}\n    ike: ${ike}`);
      const weak = [
        ...phase1.proposals.flatMap((each) => weaknessesOf(each, "ike")),
        ...esp.proposals.flatMap((each) => weaknessesOf(each, "esp")),
      ];
      assert.deepEqual(
        weak.filter(({ forbidden }) => forbidden),
        [],
        name,
      );
      assert.ok(phase1.proposals.length > 0 && esp.proposals.length > 0, name);
      assert.equal(phase1.version, ike === "{}" ? PROFILES[name].version : Number(/\d/.exec(ike)![0]), name);
    }
});

test("a key of the tunnel stands above one of defaults, which stands above the profile, which stands above what is built in", () => {
  const built = tunnelOf("");
  const profile = tunnelOf("    profile: fortigate");
  const inherited = tunnelOf("    profile: fortigate", "defaults: { esp: { lifetime: 2h }, ike: { lifetime: 5h } }");
  const own = tunnelOf("    profile: fortigate\n    esp: { lifetime: 30m }", "defaults: { esp: { lifetime: 2h } }");
  assert.deepEqual(
    [built, profile, inherited, own].map(({ esp }) => esp.lifetimeSeconds),
    [3600, 43200, 7200, 1800],
  );
  assert.deepEqual(
    [built, profile, inherited].map(({ ike }) => ike.lifetimeSeconds),
    [86400, 86400, 18000],
  );
  assert.deepEqual(
    [built, profile].map(({ dpd }) => dpd?.timeoutSeconds),
    [30, 60],
  );
});

test("defaults may name a profile, and a tunnel another one", () => {
  assert.equal(tunnelOf("", "defaults: { profile: azure }").esp.lifetimeSeconds, 27000);
  assert.equal(tunnelOf("    profile: gcp", "defaults: { profile: azure }").esp.lifetimeSeconds, 10800);
});

test("groups of the tunnel's own ESP proposals take the place of the profile's PFS", () => {
  const { esp } = tunnelOf("    profile: mikrotik\n    esp: { proposals: [aes256gcm16-x25519] }");
  assert.deepEqual(esp.proposals.map(proposalKeywords), ["aes256gcm16-x25519"]);
});

test("a product's forbidden defaults are offered with legacy: true alone, last, and check tells that they are left out", () => {
  const without = accepted(oneTunnel("    profile: tencent"));
  const { ike, esp } = without.policy.tunnels[0]!;
  assert.ok(!ike.proposals.map(proposalKeywords).includes("3des-md5-modp768"));
  assert.ok(esp.proposals.every(({ encryption }) => encryption.every(({ row }) => row.name !== "ENCR_3DES")));
  const [warning] = without.warnings.filter(({ path }) => path === "tunnels[0].profile");
  assert.match(warning!.message, /uses 3des-md5-modp768 and 3des-md5, which are left out without legacy: true/);
  const legacy = accepted(oneTunnel("    profile: tencent\n    legacy: true"));
  assert.equal(legacy.policy.tunnels[0]!.ike.proposals.map(proposalKeywords).at(-1), "3des-md5-modp768");
  assert.deepEqual(
    legacy.warnings.filter(({ path }) => path === "tunnels[0].profile"),
    [],
  );
});

test("Tencent Cloud's tunnel is what its console writes", () => {
  const { ike, esp, dpd } = tunnelOf("    profile: tencent\n    legacy: true");
  assert.deepEqual([ike.version, ike.exchange, ike.lifetimeSeconds], [1, "main", 86400]);
  assert.deepEqual([esp.lifetimeSeconds, esp.volumeOctets, dpd?.timeoutSeconds], [3600, 1843200 * 1024, 30]);
  assert.ok(
    esp.proposals.every(({ keyExchange }) => keyExchange.length === 0),
    "PFS is off",
  );
});

test("an unknown profile is refused with those that there are", () => {
  const [error] = refused(oneTunnel("    profile: acme"));
  assert.match(error!.message, /found "acme"; allowed: tencent \| aws \| azure \|/);
});

test("every profile and every quirk names its source, and quirks belong to profiles that there are", () => {
  for (const name of NAMES) assert.ok(PROFILES[name].source.length > 20, name);
  for (const { source, profiles, what } of QUIRKS) {
    assert.ok(source.length > 10, what);
    for (const profile of profiles) assert.ok(NAMES.includes(profile as ProfileName), profile);
  }
  assert.ok(quirksOfProfile("fortigate").length >= 3);
});

test("a vendor ID brings its product's quirks into the story", () => {
  assert.match(
    vendorStory([{ data: utf8("OE-Libreswan-4.10") }]),
    /^; it says it is libreswan \(OE-Libreswan-4\.10\); known of it: it before 5\.1 /,
  );
  assert.equal(vendorStory([]), "");
  assert.equal(vendorStory([{ data: utf8("Acme") }]), '; it says it is "Acme"');
});

test("a vendor ID that many products send brings nobody's quirks", () => {
  assert.equal(vendorStory([{ data: FEATURE_VENDOR_ID.ciscoUnity }]), "; it says it is Cisco Unity");
  assert.match(
    vendorStory([{ data: utf8("CISCO-DELETE-REASON") }]),
    /known of it: it does not narrow traffic selectors/,
  );
});
