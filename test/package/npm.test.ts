/** What others get from npm: the packed tarball in a folder that has nothing else. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { must, type Running, start, until } from "../child.js";
import { openNamespaces } from "../netns.js";

const root = join(import.meta.dirname, "..", "..", "..");
const KEY = "only this test knows";
const npm = (...words: string[]): string[] => ["npm", ...words, "--no-audit", "--no-fund", "--ignore-scripts"];
let folder = "";
let installed = "";

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "causeway-npm-"));
  await must(npm("pack", "--pack-destination", folder), { cwd: root, seconds: 60 });
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  assert.ok(tarball, "npm pack makes a tarball");
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  await must(npm("install", "--prefer-offline", join(folder, tarball)), { cwd: folder, seconds: 180 });
  installed = join(folder, "node_modules", "causeway");
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("the installed program passes its own vectors", async () => {
  const program = join(folder, "node_modules", ".bin", "causeway");
  const report = JSON.parse(await must([program, "vectors", "--json"], { cwd: folder, seconds: 240 }));
  assert.ok(JSON.stringify(report).length > 1000);
  assert.match(await must([program, "--version"], { cwd: folder }), /^\d+\.\d+\.\d+\n$/);
});

test("a test author's program sees the three layers with their types", async () => {
  writeFileSync(
    join(folder, "author.ts"),
    `import { parseIkeProposal, rowByKeyword, secret } from "causeway/crypto";
import { type Path, parseAddress } from "causeway/esp";
import { createEndpoint, type Effect, policyOf, step } from "causeway/ike";
const policy = policyOf({ local: "192.0.2.2", mappings: ["10.2.0.0/16 10.1.0.0/16"] });
const address = parseAddress("192.0.2.1");
const path: Path = { local: { address, port: 500 }, remote: { address, port: 500 } };
const event = { kind: "datagram", path, bytes: new Uint8Array(28) } as const;
const { effects } = step(createEndpoint(policy, 0), event, { now: 0, random: (n) => new Uint8Array(n) });
const kinds: Effect["kind"][] = effects.map(({ kind }) => kind);
console.log(JSON.stringify([kinds, parseIkeProposal("aes256-sha256-x25519").encryption.length, rowByKeyword("sm4")?.row.kind, \`\${secret(new Uint8Array(1))}\`]));
`,
  );
  const tsc = join(root, "node_modules", ".bin", "tsc");
  const options = "--ignoreConfig --strict --module nodenext --target es2023 --types node --skipLibCheck false".split(
    " ",
  );
  await must(
    [
      tsc,
      ...options,
      "--typeRoots",
      join(root, "node_modules", "@types"),
      "--outDir",
      folder,
      join(folder, "author.ts"),
    ],
    { cwd: folder, seconds: 120 },
  );
  const said = await must([process.execPath, join(folder, "author.js")], { cwd: folder });
  assert.deepEqual(JSON.parse(said), [["report"], 1, "encryption", "[secret]"]);
});

test("the example's fake peer of 30 lines brings up a tunnel with the installed gateway", {
  skip: process.getuid?.() === 0 ? false : "needs root, for network namespaces",
}, async () => {
  const example = readFileSync(join(installed, "examples", "fake-peer.mjs"), "utf8");
  const code = example.split("\n").filter((line) => line !== "" && !line.startsWith("//"));
  assert.ok(code.length <= 30, `${code.length} lines`);
  writeFileSync(join(folder, "fake-peer.mjs"), example);
  const socket = join(folder, "control.sock");
  writeFileSync(
    join(folder, "gateway.yaml"),
    `version: 1
gateway: { name: gateway, address: 192.0.2.1, control: { socket: ${socket} } }
tunnels:
  - name: peer
    peer: 192.0.2.2
    psk: "${KEY}"
    policies: [{ local: [10.1.0.0/16], peer: [10.2.0.0/16] }]
`,
  );
  const namespaces = await openNamespaces();
  const running: Running[] = [];
  try {
    for (const name of ["gateway", "peer"]) await namespaces.add(name);
    await namespaces.link({ ns: "gateway", dev: "wan" }, { ns: "peer", dev: "wan" });
    await namespaces.ip("gateway", "addr add 192.0.2.1/24 dev wan\naddr add 10.1.0.1/16 dev lo\n");
    await namespaces.ip("peer", "addr add 192.0.2.2/24 dev wan\n");
    const peer = start(namespaces.inside("peer", process.execPath, join(folder, "fake-peer.mjs")), { cwd: folder });
    running.push(peer);
    const program = join(installed, "dist", "src", "main.js");
    const inside = (...words: string[]) => namespaces.inside("gateway", process.execPath, program, ...words);
    running.push(start(inside("run", "-c", join(folder, "gateway.yaml"))));
    await until("the tunnel to be established", 30, async () => {
      const said = await must(inside("status", "peer", "--socket", socket, "--json"), { seconds: 20 }).catch(() => "");
      return said.includes('"state": "established"') || undefined;
    });
    assert.match(peer.output(), /"kind":"childEstablished"/);
  } finally {
    for (const one of running) await one.stop();
    await namespaces.close();
  }
});
