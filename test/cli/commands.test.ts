import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { causeway } from "./causeway.js";
import { withControlServer } from "./control-server.js";

const root = join(import.meta.dirname, "..", "..", "..");
const HIDDEN = "hUnTeR2-hUnTeR2-hUnTeR2";
let folder = "";

before(() => {
  folder = mkdtempSync(join(tmpdir(), "causeway-commands-"));
});
after(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const VALID = `version: 1
tunnels:
  - name: a
    peer: 198.51.100.2
    psk: "${HIDDEN}"
    esp: { proposals: [aes256gcm16], pfs: off }
    policies: [{ local: [240.1.0.0/25], peer: [10.1.0.0/16] }]
`;

test("help and version exit 0", async () => {
  const help = await causeway(["--help"]);
  assert.equal(help.status, 0);
  for (const command of [
    "run",
    "check",
    "status",
    "explain",
    "why",
    "up",
    "down",
    "rekey",
    "export",
    "import",
    "lint",
    "vectors",
    "demo",
  ])
    assert.match(help.stdout, new RegExp(`^  ${command}\\b`, "m"));
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const printed = await causeway(["--version"]);
  assert.deepEqual([printed.status, printed.stdout], [0, `${version}\n`]);
  assert.equal((await causeway(["check", "--help"])).status, 0);
});

test("wrong usage exits 2 and says what is wrong", async () => {
  for (const args of [
    [],
    ["fly"],
    ["check"],
    ["check", "a", "b"],
    ["run"],
    ["run", "-c"],
    ["up"],
    ["down", "a", "--nonsense"],
    ["status", "--socket"],
    ["--nonsense"],
  ]) {
    const { status, stderr } = await causeway(args);
    assert.equal(status, 2, args.join(" "));
    assert.notEqual(stderr, "", args.join(" "));
  }
});

test("check of a valid file exits 0 and prints warnings, mappings and proposals, and no key", async () => {
  const file = write("valid.yaml", VALID);
  const { status, stdout, stderr } = await causeway(["check", file]);
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /valid\.yaml:5:10: warning: tunnels\[0\]\.psk: the key stands in the configuration itself/);
  assert.match(
    stdout,
    /valid\.yaml:7:25: warning: tunnels\[0\]\.policies\[0\]\.local: this host has no address in 240\.1\.0\.0\/25/,
  );
  assert.match(stdout, /^ {2}240\.1\.0\.0\/25 <-> 10\.1\.0\.0\/16$/m);
  assert.match(stdout, /^ {2}ESP, lifetime 1h: aes256gcm16$/m);
  assert.match(stdout, /mirror image/);
  assert.match(stdout, /is valid, 2 warnings$/m);
  assert.doesNotMatch(stdout, /hUnTeR2/);
});

test("check --strict exits 1 for any warning, and names overlapping local ranges", async () => {
  const text = VALID.replace("policies: [", "policies: [{ local: [240.1.0.0/16], peer: [10.2.0.0/16] }, ");
  const { status, stdout } = await causeway(["check", "--strict", write("strict.yaml", text)]);
  assert.equal(status, 1);
  assert.match(
    stdout,
    /warning: tunnels\[0\]\.policies\[1\]\.local: 240\.1\.0\.0\/25 overlaps the local range 240\.1\.0\.0\/16/,
  );
  assert.match(stdout, /is valid, 4 warnings$/m);
});

test("check tells the mode and the volume limits of an IKEv1 tunnel", async () => {
  const ike = "ike: { version: 1, exchange: aggressive, proposals: [aes128-sha1-modp1536], volume: 4GiB }";
  const { status, stdout } = await causeway(["check", write("v1.yaml", `${VALID}    ${ike}\n`)]);
  assert.equal(status, 0);
  assert.match(stdout, /^ {2}IKEv1 aggressive mode, lifetime 1d or 4GiB: aes128-sha1-modp1536$/m);
  assert.match(stdout, /^ {2}ESP, lifetime 1h or 1800MiB: aes256gcm16-noesn$/m);
  assert.match(stdout, /warning: tunnels\[0\]\.ike\.exchange: aggressive mode shows .* hash of the pre-shared key/);
});

test("check lists policies without IPsec beside the mappings", async () => {
  const lines = "    bypass: [{ peer: [10.1.7.0/24] }]\n    drop: [{ protocol: tcp, peer_ports: 25 }]\n";
  const file = write("exceptions.yaml", VALID + lines);
  const { stdout } = await causeway(["check", file]);
  assert.match(stdout, /^ {2}240\.1\.0\.0\/25\[tcp\] <-> 10\.1\.0\.0\/16\[tcp\/25\]: dropped$/m);
  assert.match(stdout, /^ {2}240\.1\.0\.0\/25 <-> 10\.1\.7\.0\/24: in clear, outside of the tunnel$/m);
  const [tunnel] = JSON.parse((await causeway(["check", file, "--json"])).stdout).tunnels;
  assert.deepEqual(tunnel.bypass, [{ local: "240.1.0.0/25", peer: "10.1.7.0/24" }]);
  assert.deepEqual(tunnel.drop, [{ local: "240.1.0.0/25[tcp]", peer: "10.1.0.0/16[tcp/25]" }]);
});

test("check --json prints the same as data", async () => {
  const file = write("valid.yaml", VALID);
  const { status, stdout } = await causeway(["check", file, "--json"]);
  const report = JSON.parse(stdout);
  assert.equal(status, 0);
  assert.deepEqual([report.file, report.valid, report.errors, report.warnings.length], [file, true, [], 2]);
  const [tunnel] = report.tunnels;
  assert.deepEqual(tunnel.mappings, [{ local: "240.1.0.0/25", peer: "10.1.0.0/16" }]);
  assert.deepEqual(tunnel.esp, { proposals: ["aes256gcm16"], lifetime_s: 3600, volume: null });
  assert.deepEqual([tunnel.peer, tunnel.peer_id, tunnel.local_id], ["198.51.100.2", "198.51.100.2", null]);
  assert.doesNotMatch(stdout, /hUnTeR2/);
});

test("check of a wrong file prints every error and warning and exits 2", async () => {
  const file = write(
    "wrong.yaml",
    VALID.replace("pfs: off", "pfs: on, lifetme: 1h").replace("10.1.0.0/16", "240.1.0.0/24"),
  );
  const { status, stdout } = await causeway(["check", file]);
  assert.equal(status, 2);
  const lines = stdout.split("\n");
  assert.deepEqual(
    lines.slice(0, -2).map((line) => /:(\d+:\d+: \w+: [^:]+):/.exec(line)?.[1]),
    [
      "6:43: error: tunnels[0].esp.pfs",
      "6:47: error: tunnels[0].esp.lifetme",
      "7:48: error: tunnels[0].policies[0].peer[0]",
      "5:10: warning: tunnels[0].psk",
    ],
  );
  assert.match(lines.at(-2)!, /3 errors, 1 warning$/);
  const json = await causeway(["check", file, "--json"]);
  assert.equal(json.status, 2);
  assert.deepEqual(
    JSON.parse(json.stdout).errors.map(({ line, column, path }: Record<string, unknown>) => [line, column, path]),
    [
      [6, 43, "tunnels[0].esp.pfs"],
      [6, 47, "tunnels[0].esp.lifetme"],
      [7, 48, "tunnels[0].policies[0].peer[0]"],
    ],
  );
  assert.equal((await causeway(["check", join(folder, "missing.yaml")])).status, 2);
});

test("the example is accepted by check", async () => {
  const { status, stdout } = await causeway(["check", join(root, "gateway.example.yaml")]);
  assert.equal(status, 0, stdout);
});

test("run with a wrong file prints every error on stderr and exits 2", async () => {
  const file = write(
    "wrong.yaml",
    VALID.replace("peer: 198.51.100.2", "peer: 300.1.1.1").replace("aes256gcm16", "aes257"),
  );
  const { status, stdout, stderr } = await causeway(["run", "-c", file]);
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(
    stderr,
    /wrong\.yaml:4:11: tunnels\[0\]\.peer: .*\n.*wrong\.yaml:6:24: tunnels\[0\]\.esp\.proposals\[0\]: /,
  );
  assert.doesNotMatch(stderr, /hUnTeR2|^\s+at /m);
});

test("without a daemon a command says so and exits 1", async () => {
  const socket = join(folder, "nobody.sock");
  for (const args of [["status"], ["explain", "a"], ["why", "a"], ["up", "a"], ["down", "a"], ["rekey", "a"]]) {
    const { status, stderr } = await causeway([...args, "--socket", socket]);
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`^causeway: no causeway daemon answers on ${socket}; start one`));
  }
});

test("--socket comes before -c, -c before CAUSEWAY_SOCKET", async () => {
  const report = { gateway: { name: "g", version: "0", uptime_s: 1, drops: {} }, tunnels: [] };
  await withControlServer({ "GET /v1/status": { body: report } }, async ({ path, requests }) => {
    const file = write("socket.yaml", `gateway: { control: { socket: ${path} } }\ntunnels: half written`);
    const nobody = join(folder, "nobody.sock");
    assert.equal((await causeway(["status", "-c", file], { CAUSEWAY_SOCKET: nobody })).status, 0);
    assert.equal((await causeway(["status", "-c", file, "--socket", nobody])).status, 1);
    assert.equal((await causeway(["status"], { CAUSEWAY_SOCKET: path })).status, 0);
    assert.equal(requests.length, 2);
    const missing = await causeway(["status", "-c", join(folder, "missing.yaml")]);
    assert.equal(missing.status, 2);
  });
});

test("vectors of a folder that there is not exits 2", async () => {
  const { status } = await causeway(["vectors", "--suite", join(folder, "nowhere")]);
  assert.equal(status, 2);
});
