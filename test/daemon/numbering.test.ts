/** Two daemons, and a tunnel with SM4 and SM3 under each numbering that IKEv2 has: all between the same two addresses. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { StatusReport } from "../../src/control/status-model.js";
import { must, type Running, start, until } from "../child.js";
import { openNamespaces } from "../netns.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");
const SKIP = process.getuid?.() === 0 ? false : "needs root, for network namespaces";

const OWN_TABLE =
  "{ sm4: { ikev2: 4000, key_length_attribute: true }, sm3: { ikev2: 4001, icv: 32 }, prfsm3: { ikev2: 4002 } }";
/** Numbering, IKE proposal, ESP proposal. */
const TUNNELS = [
  ["private", "sm4-sm3-modp2048", "sm4-sm3"],
  ["private", "sm4gcm16-prfsm3-x25519", "sm4ccm16"],
  ["gmalg", "sm4-sm3-modp2048", "sm4-sm3"],
  [OWN_TABLE, "sm4-sm3-modp2048", "sm4-sm3"],
] as const;

const folder = mkdtempSync(join(tmpdir(), "cwnum-"));
const daemons: Running[] = [];
after(async () => {
  for (const daemon of daemons) await daemon.stop();
  rmSync(folder, { recursive: true });
});

function yaml(here: 1 | 2, there: 1 | 2): string {
  const tunnels = TUNNELS.map(
    ([numbering, ike, esp], i) => `  - name: t${i}
    peer: 192.0.2.${there}
    local_id: g${here}.t${i}.test
    peer_id: g${there}.t${i}.test
    start: ${here === 1 ? "active" : "passive"}
    psk: "a key that only this test knows"
    numbering: ${numbering}
    ike: { proposals: [${ike}] }
    esp: { proposals: [${esp}], pfs: off }
    policies: [{ local: [10.${here}.${i}.0/24], peer: [10.${there}.${i}.0/24] }]
`,
  );
  return `version: 1
gateway:
  address: 192.0.2.${here}
  control: { socket: ${join(folder, `g${here}.sock`)} }
  log: { format: text }
tunnels:
${tunnels.join("")}`;
}

test("SM4 and SM3 carry traffic under each numbering of IKEv2", { skip: SKIP }, async (t) => {
  const namespaces = await openNamespaces("causeway-numbering");
  t.after(() => namespaces.close());
  for (const name of ["g1", "g2"]) await namespaces.add(name);
  await namespaces.link({ ns: "g1", dev: "wan" }, { ns: "g2", dev: "wan" });
  for (const [here, there] of [
    [1, 2],
    [2, 1],
  ] as const) {
    const inner = TUNNELS.map((_, i) => `addr add 10.${here}.${i}.1/24 dev lo\n`).join("");
    await namespaces.ip(`g${here}`, `addr add 192.0.2.${here}/24 dev wan\n${inner}`);
    const file = join(folder, `g${here}.yaml`);
    writeFileSync(file, yaml(here, there));
    const inside = namespaces.inside(`g${here}`, process.execPath, MAIN, "run", "-c", file);
    daemons.push(start(inside, { seconds: 120 }));
  }
  t.after(async () => {
    for (const daemon of daemons.splice(0)) await daemon.stop();
  });
  const status = await until(`the tunnels to be established\n${daemons[0]!.output()}`, 40, async () => {
    const words = ["status", "--json", "--socket", join(folder, "g1.sock")];
    const text = await must(namespaces.inside("g1", process.execPath, MAIN, ...words)).catch(() => undefined);
    const report = text === undefined ? undefined : (JSON.parse(text) as StatusReport);
    return report?.tunnels.every(({ state }) => state === "established") ? report : undefined;
  });
  assert.deepEqual(
    status.tunnels.map(({ ike, children }) => [ike?.proposal, children[0]?.proposal]),
    TUNNELS.map(([, ike, esp]) => [ike, `${esp}-esn`]),
  );
  for (const i of TUNNELS.keys())
    await must(namespaces.inside("g1", "ping", "-c", "3", "-i", "0.4", "-W", "3", "-I", `10.1.${i}.1`, `10.2.${i}.1`));
});
