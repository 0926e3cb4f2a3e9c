/** A recording of each kind of tunnel, and what Debian's tshark makes of it with nothing but the files and the command that were written. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { must, run, start, until } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";
import { type Gateways, LEFT, MAIN, openGateways, RIGHT, SKIP } from "./gateways.js";

const NO_TSHARK = existsSync("/usr/bin/tshark") ? false : "tshark is missing";

interface Recorded {
  readonly what: string;
  readonly tier: "ci" | "full";
  /** Lines of the gateway, on both sides. */
  readonly head?: string;
  /** Lines of the tunnel, on both sides. */
  readonly lines: string;
  /** What only stands in messages that were opened. */
  readonly ike: RegExp;
}

const TRAFFIC_SELECTOR = /Payload: Traffic Selector - Initiator/;
const QUICK_MODE = /Quick Mode[\s\S]*?Payload: Identification/;

const RECORDED: readonly Recorded[] = [
  {
    what: "IKEv2 and ESP with AES-GCM",
    tier: "ci",
    lines:
      "    ike: { mobike: false, proposals: [aes256gcm16-prfsha384-ecp256] }\n    esp: { proposals: [aes256gcm16] }\n",
    ike: TRAFFIC_SELECTOR,
  },
  {
    what: "IKEv2 and ESP in UDP with AES-CBC and HMAC-SHA-256",
    tier: "full",
    lines:
      "    encapsulation: udp\n    ike: { proposals: [aes128-sha256-x25519] }\n    esp: { proposals: [aes128-sha256] }\n",
    ike: TRAFFIC_SELECTOR,
  },
  {
    what: "IKEv2 and ESP with AES-CTR, which a thread carries in each direction",
    tier: "ci",
    head: "  dataplane: { workers: 2 }",
    lines: "    ike: { proposals: [aes256gcm16-prfsha256-x25519] }\n    esp: { proposals: [aes128ctr-sha256] }\n",
    ike: TRAFFIC_SELECTOR,
  },
  {
    what: "IKEv1 main mode and ESP with 3DES and HMAC-SHA-1",
    tier: "full",
    lines: "    ike: { version: 1, proposals: [3des-sha1-modp1536] }\n    esp: { proposals: [3des-sha1], pfs: off }\n",
    ike: QUICK_MODE,
  },
  {
    what: "IKEv1 aggressive mode with AES",
    tier: "ci",
    lines:
      "    ike: { version: 1, exchange: aggressive, proposals: [aes256-sha256-modp2048] }\n    esp: { proposals: [aes192-sha512], pfs: [modp2048] }\n",
    ike: QUICK_MODE,
  },
];

let namespaces: Namespaces;

before(async () => {
  if (!SKIP) namespaces = await openNamespaces();
});
after(async () => {
  await namespaces?.close();
});

const wanted = RECORDED.filter(({ tier }) => tier === "ci" || process.env.CAUSEWAY_TIER === "full");

for (const [row, { what, head, lines, ike }] of wanted.entries())
  test(`tshark opens a recording of ${what} with the files and the command that capture wrote`, {
    skip: SKIP || NO_TSHARK,
  }, async () => {
    const pair = await openGateways(namespaces, {
      tag: `c${row}`,
      ...(head !== undefined && { head }),
      yaml: (site) => `    start: ${site === LEFT ? "active" : "passive"}\n${lines}`,
    });
    try {
      const { folder, shown } = await record(pair);
      for (const name of ["capture.pcapng", "ikev1_decryption_table", "ikev2_decryption_table", "esp_sa", "command"])
        assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
      const frames = shown.split(/^Frame (?=\d+:)/m);
      const opened = frames.filter((frame) => /Encapsulating Security Payload[\s\S]*Echo \(ping\) request/.test(frame));
      assert.ok(opened.length >= 3, `opened ESP packets in\n${shown.slice(0, 20_000)}`);
      assert.ok(
        frames.some((frame) => /interface inner[\s\S]*Echo \(ping\) reply/i.test(frame)),
        "inner packets",
      );
      assert.match(shown, ike);
      // The two views of a packet are the same octets: nothing inside the ESP packets but what is on the inner interface.
      const malformed = firstSendings(frames).filter((frame) => /Malformed Packet/.test(frame));
      assert.deepEqual(malformed, []);
    } finally {
      await pair.close();
    }
  });

/** tshark follows the IVs of IKEv1 from datagram to datagram, and so cannot open one that is sent again. */
function firstSendings(frames: readonly string[]): string[] {
  const seen = new Set<string>();
  return frames.filter((frame) => {
    const parts = [/Src: [\d.]+/, /Message ID: \w+/, /UDP payload \(\d+/, /^ {4}Checksum: 0x\w+/m].map((one) =>
      one.exec(frame),
    );
    if (parts.includes(null)) return true;
    const key = parts.join();
    return !seen.has(key) && seen.add(key);
  });
}

function readOr(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

async function record(pair: Gateways): Promise<{ folder: string; shown: string }> {
  for (const site of [LEFT, RIGHT]) pair.launch(site);
  await pair.established(LEFT, 60);
  const folder = join(pair.folder, "recording");
  const words = ["capture", "site", "--seconds", "8", "--output", folder, "--json", "--socket", pair.socketOf(LEFT)];
  const recording = start(pair.inside("left", process.execPath, MAIN, ...words), { seconds: 30 });
  // The SAs are renewed at first: their keys are those that the recording has.
  const renewed = () => readOr(join(folder, "esp_sa")).split("\n").length > 2;
  await until("the SAs to be renewed", 30, async () => renewed() || undefined).catch(async (error: Error) => {
    const { stdout, stderr } = await recording.stop();
    throw new Error(`${error.message}\n${stdout}${stderr}\n${pair.tail(LEFT)}`);
  });
  assert.equal((await pair.ping(LEFT, 4)).status, 0);
  const done = await recording.ended;
  assert.equal(done.status, 0, done.stdout + done.stderr);
  const { command } = JSON.parse(done.stdout) as { readonly command: string };
  assert.equal(readFileSync(join(folder, "command"), "utf8").trim(), command);
  return { folder, shown: await must(["sh", "-ec", command], { seconds: 60 }) };
}

test("a second recording at the same time is refused, and so is one of a tunnel that is not there", {
  skip: SKIP,
}, async () => {
  const pair = await openGateways(namespaces, { tag: "c9", yaml: () => "    start: passive\n" });
  try {
    pair.launch(LEFT);
    while ((await pair.status(LEFT)) === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
    const capture = (tunnel: string, folder: string) => [
      ...pair.inside("left", process.execPath, MAIN, "capture", tunnel, "--seconds", "20"),
      "--output",
      join(pair.folder, folder),
      "--socket",
      pair.socketOf(LEFT),
    ];
    const first = start(capture("site", "a"), { seconds: 30 });
    while (!first.output().includes("records tunnel")) await new Promise((resolve) => setTimeout(resolve, 20));
    while (!pair.tail(LEFT).includes("somebody records tunnel"))
      await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await run(capture("site", "b"), { seconds: 30 });
    assert.deepEqual([second.status, /another recording runs/.test(second.stderr)], [1, true], second.stderr);
    const nowhere = await run(capture("nowhere", "c"), { seconds: 30 });
    assert.match(nowhere.stderr, /there is no tunnel "nowhere"/);
    first.signal("SIGINT");
    assert.equal((await first.ended).status, 0, "Ctrl-C ends a recording in order");
  } finally {
    await pair.close();
  }
});
