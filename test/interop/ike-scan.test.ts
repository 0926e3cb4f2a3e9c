/**
 * What a stranger learns with ike-scan: that there is a gateway, where a tunnel permits the exchange, and what RFC 2409 makes it
 * say then. Nothing about who made it, nothing in a mode that no tunnel uses, nothing for an identity that it does not know.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fetchStatus } from "../../src/cli/client.js";
import { type Finished, run, start, until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");
const SCANNER = "/usr/bin/ike-scan";
const PSK = "oh-what-a-long-key-that-nobody-will-ever-guess";
/** Encryption, hash, pre-shared key, group, as RFC 2409 appendix A numbers them. */
const AES128_SHA1_MODP1536 = "--trans=7/128,2,1,5";
const AES256_SHA256_MODP1536 = "--trans=7/256,4,1,5";
const VENDOR_ID = {
  /** RFC 3947 section 3.1. */
  natTraversal: "4a131c81070358455c5728f20e95452f",
  /** RFC 3706 section 5.1. */
  deadPeerDetection: "afcad71368a1f1c96b8696fc77570100",
} as const;

const SKIP =
  process.getuid?.() !== 0
    ? "not root: namespaces need it"
    : existsSync(SCANNER)
      ? false
      : `not installed (npm run setup as root): ${SCANNER}`;

let folder = "";
let namespaces: Namespaces;

/** A gateway with one tunnel that begins with `tunnel`, while `work` goes on. */
async function withGateway(tunnel: string, work: () => Promise<void>): Promise<void> {
  const socket = join(folder, "control.sock");
  const file = join(folder, "gateway.yaml");
  await writeFile(
    file,
    `version: 1
gateway: { name: scanned, address: 192.0.2.1, control: { socket: ${socket} } }
tunnels:
  - name: site
    peer_id: scanner.test
    psk: ${PSK}
    start: passive
    policies: [{ local: [10.81.1.0/24], peer: [10.81.2.0/24] }]
    ${tunnel}
`,
    { mode: 0o600 },
  );
  const daemon = start(namespaces.inside("near", process.execPath, MAIN, "run", "-c", file));
  try {
    await until("the gateway to answer", 20, () => fetchStatus(socket).catch(() => undefined)).catch((error: Error) => {
      throw new Error(`${error.message}\n${daemon.output()}`);
    });
    await work();
    assert.ok(!daemon.output().includes(PSK), "no pre-shared key in the log");
  } finally {
    const { status } = await daemon.stop();
    assert.equal(status, 0, daemon.output());
  }
}

interface Found {
  readonly handshakes: number;
  readonly notifies: number;
  /** The payloads of the answer as ike-scan prints them, without the cookie: "SA=(Enc=AES …)". */
  readonly payloads: readonly string[];
}

/** It ends with the answer. */
function scan(...options: readonly string[]): Promise<Found> {
  return ask("--retry=4", "--timeout=1000", ...options);
}

/** Asks twice, and hears nothing. */
async function hearsNothing(...options: readonly string[]): Promise<void> {
  assert.deepEqual(await ask("--retry=2", "--timeout=400", ...options), { handshakes: 0, notifies: 0, payloads: [] });
}

async function ask(...options: readonly string[]): Promise<Found> {
  const words = [SCANNER, "--multiline", ...options, "192.0.2.1"];
  const done: Finished = await run(namespaces.inside("scanner", ...words), { seconds: 30 });
  const counts = /(\d+) returned handshake; (\d+) returned notify/.exec(done.stdout);
  if (counts === null) throw new Error(`ike-scan: status ${done.status}\n${done.stdout}${done.stderr}`);
  const payloads = done.stdout
    .split("\n")
    .filter((line) => line.startsWith("\t") && !line.startsWith("\tHDR="))
    .map((line) => line.trim());
  return { handshakes: Number(counts[1]), notifies: Number(counts[2]), payloads };
}

const kinds = ({ payloads }: Found): readonly string[] => payloads.map((each) => each.split(/[=(]/)[0]!);
const aggressive = (id: string): readonly string[] => ["--aggressive", "--dhgroup=5", "--idtype=2", `--id=${id}`];
const V1 = "ike: { version: 1, proposals: [aes128-sha1-modp1536] }";
const V1_AGGRESSIVE = "ike: { version: 1, exchange: aggressive, proposals: [aes128-sha1-modp1536] }";

describe("ike-scan", { skip: SKIP }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "causeway-scan-"));
    namespaces = await openNamespaces("causeway-scan");
    for (const name of ["near", "scanner"]) await namespaces.add(name);
    await namespaces.link({ ns: "near", dev: "outer" }, { ns: "scanner", dev: "outer" });
    await namespaces.ip("near", "addr add 192.0.2.1/24 dev outer");
    await namespaces.ip("scanner", "addr add 192.0.2.9/24 dev outer");
  });
  after(async () => {
    await namespaces?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("a tunnel of main mode is found by main mode, which shows the chosen transform and nothing else", async () => {
    await withGateway(`peer: 192.0.2.9\n    ${V1}`, async () => {
      const found = await scan(AES256_SHA256_MODP1536, AES128_SHA1_MODP1536);
      assert.deepEqual([found.handshakes, kinds(found)], [1, ["SA"]]);
      assert.match(found.payloads[0]!, /Enc=AES.*Hash=SHA1 .*Group=5:modp1536 Auth=PSK|Enc=AES.*KeyLength=128/);
      const [byRfc3947, byDpd] = [
        await scan(AES128_SHA1_MODP1536, `--vendor=${VENDOR_ID.natTraversal}`),
        await scan(AES128_SHA1_MODP1536, `--vendor=${VENDOR_ID.deadPeerDetection}`),
      ];
      assert.deepEqual(kinds(byRfc3947), ["SA", "VID"], "a vendor ID answers one that means the same");
      assert.ok(byRfc3947.payloads[1]!.includes(VENDOR_ID.natTraversal));
      assert.deepEqual(kinds(byDpd), ["SA", "VID"]);
      assert.ok(byDpd.payloads[1]!.includes(VENDOR_ID.deadPeerDetection));
    });
  });

  test("other proposals get no more than a refusal, aggressive mode nothing where no tunnel uses it", async () => {
    await withGateway(`peer: 192.0.2.9\n    ${V1}`, async () => {
      assert.deepEqual(await scan("--trans=5,1,1,1"), { handshakes: 0, notifies: 1, payloads: [] });
      await hearsNothing(AES128_SHA1_MODP1536, ...aggressive("scanner.test"));
    });
  });

  test("a tunnel of aggressive mode is found by its identity alone, and not by main mode", async () => {
    await withGateway(`peer: any\n    ${V1_AGGRESSIVE}`, async () => {
      const found = await scan(AES128_SHA1_MODP1536, ...aggressive("scanner.test"));
      assert.equal(found.handshakes, 1);
      assert.deepEqual([...kinds(found)].sort(), ["Hash", "ID", "KeyExchange", "Nonce", "SA"]);
      await hearsNothing(AES128_SHA1_MODP1536, ...aggressive("stranger.test"));
      await hearsNothing(AES128_SHA1_MODP1536);
    });
  });

  test("a gateway of IKEv2 does not answer IKEv1, and one of IKEv1 no IKEv2", async () => {
    await withGateway("peer: 192.0.2.9", async () => {
      await hearsNothing(AES128_SHA1_MODP1536);
      await hearsNothing(AES128_SHA1_MODP1536, ...aggressive("scanner.test"));
    });
    await withGateway(`peer: 192.0.2.9\n    ${V1}`, async () => {
      assert.equal((await scan("--ikev2")).handshakes, 0);
    });
  });
});
