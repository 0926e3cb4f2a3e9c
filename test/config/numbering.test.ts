import assert from "node:assert/strict";
import { test } from "node:test";
import { accepted, oneTunnel, refused } from "./reading.js";

const problem = (tunnel: string, top = "") =>
  refused(oneTunnel(tunnel, top)).map(({ path, detail }) => `${path}: ${detail}`);

test("the default numbering leaves proposals as they are", () => {
  const [plain] = accepted(oneTunnel()).policy.tunnels;
  const [named] = accepted(oneTunnel("    numbering: private")).policy.tunnels;
  assert.deepEqual(named, plain);
});

test("a tunnel's numbering comes before the gateway's", () => {
  const { tunnels } = accepted(oneTunnel("    numbering: private", "gateway: { numbering: gmalg }")).policy;
  assert.equal(tunnels[0]!.ike.proposals[0]!.numbering, undefined);
  const gmalg = accepted(oneTunnel("", "gateway: { numbering: gmalg }")).policy.tunnels[0]!;
  assert.equal(gmalg.ike.proposals[0]!.numbering?.name, "gmalg");
  assert.equal(gmalg.esp.proposals[0]!.numbering?.name, "gmalg");
});

test("default proposals lose what the numbering has no number for, written ones are refused", () => {
  const { ike } = accepted(oneTunnel("    numbering: gmalg")).policy.tunnels[0]!;
  const names = ike.proposals.flatMap(({ encryption }) => encryption.map(({ row }) => row.name as string));
  assert.ok(names.includes("ENCR_AES_CBC") && !names.includes("ENCR_CHACHA20_POLY1305"));
  const [text] = problem("    numbering: gmalg\n    esp: { proposals: [chacha20poly1305] }");
  assert.match(
    text!,
    /^tunnels\[0\]\.esp\.proposals\[0\]: chacha20poly1305 collides: its IKEv2 number 28 stands for SM1-ECB/,
  );
});

test("a profile of IKEv1 alone is refused for IKEv2", () => {
  const [text] = problem("    numbering: gmt0022");
  assert.match(
    text!,
    /^tunnels\[0\]\.numbering: found "gmt0022", which numbers IKEv1 alone.*allowed: private \| gmalg/,
  );
  assert.match(problem("", "gateway: { numbering: gmt0022 }")[0]!, /^gateway\.numbering: /);
});

test("an own table numbers algorithms by keyword, with ICV length and Key Length attribute", () => {
  const text =
    "    numbering: { aes128: { ikev2: 4000, key_length_attribute: false }, sha256: { ikev2: 4001, icv: 12 } }\n" +
    "    esp: { proposals: [aes128-sha256] }";
  const [proposal] = accepted(oneTunnel(text)).policy.tunnels[0]!.esp.proposals;
  assert.equal(proposal!.integrity[0]!.icvBytes, 12);
  assert.deepEqual(proposal!.numbering?.numbers["aes*"], { ikev2: 4000, keyLengthAttribute: false });
});

test("mistakes in an own table are told with their place", () => {
  assert.match(
    problem("    numbering: shangmi")[0]!,
    /^tunnels\[0\]\.numbering: .*allowed: private \| gmalg \| gmt0022/,
  );
  const found = problem(
    "    numbering: { rot13: { ikev2: 1 }, sha1: { ikev2: 9, icv: 24, phase1: 2 }, sha256: { ikev2: 9, key_length_attribute: true } }",
  ).join("\n");
  for (const part of [
    /numbering\.rot13: found "rot13"; allowed: the keyword of/,
    /numbering\.sha1\.icv: found 24; allowed: at most the 20 octets/,
    /numbering\.sha1\.phase1: .* under prfsha1/,
    /numbering\.sha256\.key_length_attribute: only encryption has one/,
    /numbering: sha1 and sha256 have the same IKEv2 number 9/,
  ])
    assert.match(found, part);
});
