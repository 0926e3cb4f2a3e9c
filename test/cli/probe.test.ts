/** `causeway probe` over real sockets on loopback, against our own endpoint as the peer. */
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemRandom } from "../../crypto/random.js";
import { parseIkeProposal } from "../../crypto/registry/proposal.js";
import { parseAddress } from "../../esp/address.js";
import { createEndpoint, type Endpoint, step } from "../../ike/core/endpoint.js";
import type { Event } from "../../ike/core/types.js";
import { answerWith, policyOf } from "../../ike/embedding.js";
import { causeway } from "./causeway.js";
import { withControlServer } from "./control-server.js";

const folder = mkdtempSync(join(tmpdir(), "cwprobe-"));
const sockets: Socket[] = [];
after(() => {
  for (const socket of sockets) socket.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A peer on a port of loopback; its datagrams are counted by the second in which they came. */
async function peer(version: 1 | 2, proposals: readonly string[]): Promise<{ port: number; arrivals: number[] }> {
  const policy = policyOf({ local: "127.0.0.1", mappings: ["10.2.0.0/16 10.1.0.0/16"] });
  const [tunnel] = policy.tunnels;
  const exchange = version === 1 ? { exchange: "main" as const } : {};
  const ike = { ...tunnel!.ike, version, proposals: proposals.map(parseIkeProposal), ...exchange };
  let endpoint: Endpoint = createEndpoint({ ...policy, tunnels: [{ ...tunnel!, ike }] }, performance.now());
  const socket = createSocket("udp4");
  sockets.push(socket);
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  const arrivals: number[] = [];
  const feed = (event: Event): void => {
    const result = step(endpoint, event, { now: performance.now(), random: systemRandom });
    endpoint = result.endpoint;
    for (const effect of result.effects) {
      if (effect.kind === "send") socket.send(effect.bytes, effect.path.remote.port, "127.0.0.1");
      if (effect.kind === "ask")
        feed({ kind: "answer", ask: effect.ask, answer: answerWith("a key", effect.question) });
    }
  };
  socket.on("message", (bytes, { port: from }) => {
    arrivals.push(performance.now());
    const address = parseAddress("127.0.0.1");
    feed({ kind: "datagram", path: { local: { address, port }, remote: { address, port: from } }, bytes });
  });
  return { port, arrivals };
}

interface Probed {
  readonly ikev2: { readonly verdict: string; readonly accepted?: Readonly<Record<string, readonly string[]>> } | null;
  readonly ikev1: Probed["ikev2"];
  readonly vendors: readonly string[];
  readonly packets: number;
  readonly block: string | null;
}

async function probe(
  port: number,
  ...words: readonly string[]
): Promise<{ found: Probed; status: number | undefined }> {
  const { status, stdout, stderr } = await causeway(["probe", "127.0.0.1", "--port", String(port), "--json", ...words]);
  assert.equal(stderr, "");
  return { found: JSON.parse(stdout) as Probed, status };
}

test("probe finds what a peer of IKEv2 accepts, and prints a tunnel that check accepts", async () => {
  const { port } = await peer(2, ["aes256gcm16-prfsha384-ecp384", "aes128-sha256-modp2048"]);
  const key = join(folder, "key");
  const networks = ["--local", "10.9.0.0/24", "--remote", "10.8.0.0/24"];
  const { found, status } = await probe(port, "--ike", "2", "--rate", "100", "--psk-file", key, ...networks);
  assert.equal(status, 0);
  assert.deepEqual(found.ikev2?.accepted, {
    encryption: ["aes256gcm16", "aes128"],
    integrity: ["sha256"],
    prf: ["prfsha256", "prfsha384"],
    groups: found.ikev2?.accepted?.groups,
  });
  assert.deepEqual([...(found.ikev2?.accepted?.groups ?? [])].sort(), ["ecp384", "modp2048"]);
  assert.match(found.block ?? "", /proposals: \[aes256gcm16-prfsha384-ecp384\]/);
  const file = join(folder, "probed.yaml");
  writeFileSync(key, "a key that is long enough for everybody\n", { mode: 0o600 });
  writeFileSync(file, found.block ?? "");
  const checked = await causeway(["check", file]);
  assert.equal(checked.status, 0, checked.stdout);
  assert.match(checked.stdout, /10\.9\.0\.0\/24 <-> 10\.8\.0\.0\/24/);
});

test("probe finds what a peer of IKEv1 accepts, and tells of IKEv2 that nothing is accepted there", async () => {
  const { port } = await peer(1, ["3des-md5-modp768"]);
  const { found } = await probe(port, "--ike", "1", "--rate", "100");
  assert.deepEqual(found.ikev1?.accepted, {
    encryption: ["3des"],
    integrity: ["md5"],
    prf: ["prfmd5"],
    groups: ["modp768"],
  });
  assert.match(found.block ?? "", /legacy: true/);
  assert.match(found.block ?? "", /version: 1, proposals: \[3des-md5-modp768\]/);
});

test("probe keeps to five packets a second", async () => {
  const { port, arrivals } = await peer(2, ["aes128-sha256-modp2048"]);
  const { status } = await probe(port, "--ike", "2");
  assert.equal(status, 0);
  // Of the whole: on a busy machine a packet is seen late, and the next one in time.
  const seconds = (arrivals.at(-1)! - arrivals[0]!) / 1000;
  assert.ok(arrivals.length > 10, `${arrivals.length} packets`);
  assert.ok((arrivals.length - 1) / seconds < 6, `${arrivals.length} packets in ${seconds} s`);
});

test("a port where nobody answers is told with status 1", async () => {
  const { port, arrivals } = await peer(2, ["aes128-sha256-modp2048"]);
  sockets
    .at(-1)!
    .removeAllListeners("message")
    .on("message", () => void arrivals.push(performance.now()));
  const { found, status } = await probe(port, "--ike", "2");
  assert.deepEqual([status, found.ikev2?.verdict, found.block, arrivals.length], [1, "silent", null, found.packets]);
  for (let i = 1; i < arrivals.length; i++)
    assert.ok(arrivals[i]! - arrivals[i - 1]! > 150, "packets closer than a fifth of a second");
});

test("probe refuses wrong options with 2", async () => {
  for (const words of [
    ["--port", "0"],
    ["--rate", "x"],
    ["--ike", "3"],
    ["--address", "nowhere"],
    ["--local-id", ""],
    ["--esp"],
    ["--esp", "--psk-file", "/nowhere/key"],
    ["--esp", "--psk-file", "/dev/null"],
  ]) {
    const { status, stderr } = await causeway(["probe", "127.0.0.1", ...words]);
    assert.equal(status, 2, stderr);
  }
});

test("explain --probe without the configuration is refused with 2, since a peer tells the half of it to nobody without the key", async () => {
  const report = {
    tunnel: "a",
    state: "down",
    sentence: "a is down",
    next: "",
    cause: null,
    phases: [],
    profile: null,
  };
  await withControlServer({ "GET /v1/tunnels/a/explain": { body: report } }, async ({ path }) => {
    const { status, stderr } = await causeway(["explain", "a", "--probe", "--socket", path]);
    assert.deepEqual([status, /needs -c FILE/.test(stderr)], [2, true], stderr);
  });
});
