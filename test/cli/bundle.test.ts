import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { redact, redactConfiguration } from "../../src/bundle/redact.js";
import { must } from "../child.js";
import { causeway } from "./causeway.js";
import { withControlServer } from "./control-server.js";

const folder = mkdtempSync(join(tmpdir(), "cwbundle-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const KEYS = ["hUnTeR2-of-the-first-tunnel", "0xdeadbeefcafe0123456789", "a key that stands in a file of its own"];

const CONFIGURATION = `version: 1 # the old key was ${KEYS[0]}
gateway: { name: edge, address: 127.0.0.1, tun: { name: cwbundle0 }, control: { socket: ${folder}/none.sock } }
tunnels:
  - { name: a, peer: 127.0.0.2, psk: "${KEYS[0]}", policies: [{ local: [240.1.0.0/24], peer: [240.2.0.0/24] }] }
  - { name: b, peer: 127.0.0.3, psk: "${KEYS[1]}", policies: [{ local: [240.1.0.0/24], peer: [240.3.0.0/24] }] }
  - { name: c, peer: 127.0.0.4, psk: { file: c.psk }, policies: [{ local: [240.1.0.0/24], peer: [240.4.0.0/24] }] }
`;

test("a support archive is for its owner alone, any tar reads it, and no key stands in it in any spelling", async () => {
  const file = join(folder, "gateway.yaml");
  writeFileSync(file, CONFIGURATION, { mode: 0o600 });
  writeFileSync(join(folder, "c.psk"), `${KEYS[2]}\n`, { mode: 0o600 });
  const output = join(folder, "support.tar.gz");
  const { status, stderr } = await causeway(["bundle", "-c", file, "--output", output]);
  assert.equal(status, 0, stderr);
  assert.equal(statSync(output).mode & 0o777, 0o600);
  const names = (await must(["tar", "-tzf", output])).trim().split("\n");
  for (const name of [
    "configuration.json",
    "diagnosis.json",
    "doctor.txt",
    "doctor.json",
    "versions.json",
    "log.txt",
    "host/routes.txt",
  ])
    assert.ok(names.includes(`causeway-bundle/${name}`), name);
  const content = gunzipSync(readFileSync(output));
  const text = content.toString("latin1");
  for (const key of KEYS) {
    const octets = key.startsWith("0x") ? Buffer.from(key.slice(2), "hex") : Buffer.from(key);
    for (const spelling of [key, octets.toString("latin1"), octets.toString("hex"), octets.toString("base64")])
      assert.ok(!text.includes(spelling), `${key} as ${spelling}`);
  }
  assert.match(text, /"psk": "\[secret\]"/);
  assert.match(text, /"file": "c.psk"/);
  const again = await causeway(["bundle", "-c", file, "--output", output]);
  assert.deepEqual([again.status, /EEXIST/.test(again.stderr)], [1, true], "nothing is written over");
});

test("a support archive has the flight recorder of each tunnel, without the keys that stand in it", async () => {
  const event = {
    first: "t1",
    last: "t2",
    count: 2,
    kind: "story",
    message: `calling with ${KEYS[0]}`,
    code: null,
    proven: true,
  };
  const why = { tunnel: "a/b", state: "down", sentence: "a/b is down", events: [event] };
  const answers = {
    "GET /v1/status": { body: { tunnels: [{ name: "a/b" }] } },
    "GET /v1/tunnels/a%2Fb/why": { body: why },
  };
  const file = join(folder, "told.yaml");
  writeFileSync(file, CONFIGURATION, { mode: 0o600 });
  await withControlServer(answers, async ({ path }) => {
    const output = join(folder, "told.tar.gz");
    const { status, stderr } = await causeway(["bundle", "-c", file, "--socket", path, "--output", output]);
    assert.equal(status, 0, stderr);
    const text = await must(["tar", "-xzOf", output, "causeway-bundle/why/0001-a-b.txt"]);
    assert.match(text, /a\/b is down\.\n\nt2 {2}calling with \[secret\] \(2 times since t1\)/);
  });
});

test("a configuration is redacted by its keys, wherever the value is repeated, and a file that is no YAML is left out", () => {
  const clean = redactConfiguration(
    'defaults: { psk: &key "very secret" }\ntunnels: [{ name: "very secret", psk: *key }]\nalarms: [{ webhook: "https://h/T0KEN" }]\n',
  );
  assert.doesNotMatch(clean, /very secret|T0KEN/);
  assert.match(redactConfiguration("psk: [unclosed"), /left out/);
  assert.equal(
    redact("key=abcd1234 61626364313233340a YWJjZDEyMzQ=", ["abcd1234"]),
    "key=[secret] [secret]0a [secret]",
  );
});
