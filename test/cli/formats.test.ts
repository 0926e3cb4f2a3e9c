import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SAMPLES } from "../exchange-formats/samples.js";
import { causeway } from "./causeway.js";

const HIDDEN = "hUnTeR2-hUnTeR2-hUnTeR2";
let folder = "";

before(() => {
  folder = mkdtempSync(join(tmpdir(), "causeway-formats-"));
});
after(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const GATEWAY = `version: 1
gateway: { address: 203.0.113.1 }
tunnels:
  - name: branch
    peer: 198.51.100.7
    psk: "${HIDDEN}"
    policies: [{ local: [192.168.1.0/24], peer: [10.1.0.0/16] }]
`;

test("export prints the peer's file without the key, and says what it lacks with 1", async () => {
  const file = write("gateway.yaml", GATEWAY);
  const plain = await causeway(["export", "branch", "-c", file, "--for", "strongswan"]);
  assert.deepEqual([plain.status, plain.stderr], [0, ""]);
  assert.match(plain.stdout, /local_addrs = 198\.51\.100\.7\n +remote_addrs = 203\.0\.113\.1\n/);
  assert.doesNotMatch(plain.stdout, /hUnTeR2/);
  const json = await causeway(["export", "branch", "-c", file, "--for", "libreswan", "--with-secrets", "--json"]);
  const { files } = JSON.parse(json.stdout) as { files: { name: string; text: string }[] };
  assert.deepEqual(
    files.map(({ name }) => name),
    ["branch.conf", "branch.secrets"],
  );
  assert.match(files[1]!.text, /: PSK "hUnTeR2-hUnTeR2-hUnTeR2"$/m);
  const sm4 = write("sm4.yaml", `${GATEWAY}    ike: { proposals: [sm4-sm3-modp2048] }\n`);
  const lacks = await causeway(["export", "branch", "-c", sm4, "--for", "strongswan"]);
  assert.equal(lacks.status, 1);
  assert.match(lacks.stderr, /^causeway: strongSwan \(swanctl\.conf\) cannot be told .*lacks: sm4 in ike\.proposals; /);
});

test("export says that bypass, drop and split are left out of the peer's file", async () => {
  const lines =
    "    split: always\n    bypass: [{ peer: [10.1.9.0/24] }]\n    drop: [{ protocol: tcp, peer_ports: 25 }]\n";
  const file = write("exceptions.yaml", `${GATEWAY}${lines}`);
  const words = [/^`bypass` and `drop` of the tunnel are left out: the peer needs/, /^`split: always` is left out/];
  const { status, stdout, stderr } = await causeway(["export", "branch", "-c", file, "--for", "strongswan", "--json"]);
  const { remarks } = JSON.parse(stdout) as { remarks: readonly string[] };
  assert.equal(status, 0);
  for (const wanted of words)
    assert.ok(
      remarks.some((remark) => wanted.test(remark)),
      wanted.source,
    );
  assert.equal(stderr, `${remarks.slice(-2).join("\n")}\n`);
});

test("export of a tunnel in route mode says that routes decide, and puts no default route into the tunnel", async () => {
  const file = write(
    "routed.yaml",
    `version: 1
gateway: { address: 192.0.2.1 }
tunnels:
  - name: hub
    peer: 192.0.2.2
    psk: hUnTeR2-hUnTeR2-hUnTeR2
    routes: [10.2.0.0/16]
    ike: { proposals: [aes256-sha256-modp2048] }
    esp: { proposals: [aes256-sha256-modp2048] }
`,
  );
  const exported = async (product: string) => {
    const done = await causeway(["export", "hub", "-c", file, "--for", product]);
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stderr, /^the tunnel is in route mode: /m);
    return done.stdout;
  };
  assert.match(await exported("strongswan"), /local_ts = 0\.0\.0\.0\/0/);
  assert.doesNotMatch(await exported("fortigate"), /config router static/);
  assert.doesNotMatch(await exported("juniper"), /traffic-selector/);
});

test("export writes files that only their owner reads", async () => {
  const out = join(folder, "out");
  const file = write("gateway.yaml", GATEWAY);
  const done = await causeway([
    "export",
    "branch",
    "-c",
    file,
    "--for",
    "strongswan-ipsec",
    "--with-secrets",
    "--out",
    out,
  ]);
  assert.deepEqual([done.status, done.stdout], [0, `${join(out, "ipsec.conf")}\n${join(out, "ipsec.secrets")}\n`]);
  assert.equal(statSync(join(out, "ipsec.secrets")).mode & 0o777, 0o600);
});

test("export of a wrong product, tunnel, file or without an address is wrong usage", async () => {
  const file = write("gateway.yaml", GATEWAY);
  const homeless = write("homeless.yaml", GATEWAY.replace(/^gateway.*\n/m, ""));
  for (const [args, words] of [
    [["branch", "-c", file, "--for", "vyatta"], /no product is called "vyatta"; allowed: strongswan, /],
    [["branch", "-c", file, "--for", "constructor"], /no product is called/],
    [["nobody", "-c", file, "--for", "strongswan"], /has no tunnel "nobody"; it has: branch/],
    [["branch", "-c", write("broken.yaml", "version: 2\n"), "--for", "strongswan"], /broken\.yaml:1:10: version/],
    [["branch", "-c", homeless, "--for", "strongswan"], /name it with --address/],
    [["branch", "-c", file, "--for", "strongswan", "--address", "here"], /--address: found "here"/],
    [["branch", "--for", "strongswan"], /\/etc\/causeway\/gateway\.yaml/],
  ] as const) {
    const { status, stderr } = await causeway(["export", ...args]);
    assert.equal(status, 2, args.join(" "));
    assert.match(stderr, words);
  }
  assert.equal(
    (await causeway(["export", "branch", "-c", homeless, "--for", "strongswan", "--address", "203.0.113.9"])).status,
    0,
  );
});

test("import prints a configuration that check accepts, its notes with lines, and the keys where they are asked for", async () => {
  const { text, secrets } = SAMPLES["libreswan's ipsec.conf"]!;
  const file = write("libreswan.conf", text);
  const keys = write("libreswan.secrets", secrets!);
  const plain = await causeway(["import", file, "--secrets", keys, "--keys", join(folder, "keys")]);
  assert.equal(plain.status, 0);
  assert.match(plain.stderr, /^\S+libreswan\.conf:23: note: narrowing = "yes" has no counterpart/m);
  assert.doesNotMatch(plain.stdout + plain.stderr, /libreswan's key/);
  const psk = join(folder, "keys", "mysubnet.psk");
  assert.equal(statSync(psk).mode & 0o777, 0o600);
  assert.equal(Buffer.from(readFileSync(psk, "utf8").slice(2), "base64").toString(), "libreswan's key");
  writeFileSync(join(folder, "keys", "imported.yaml"), plain.stdout);
  assert.equal((await causeway(["check", join(folder, "keys", "imported.yaml")])).status, 0);
  const open = await causeway(["import", file, "--secrets", keys, "--with-secrets", "--json"]);
  const report = JSON.parse(open.stdout) as {
    kind: string;
    configuration: string;
    notes: unknown[];
    errors: unknown[];
  };
  assert.equal(report.kind, "ipsec.conf (libreswan)");
  assert.match(report.configuration, /psk: libreswan's key/);
  assert.deepEqual([report.notes.length, report.errors.length], [1, 0]);
});

test("import refuses what is no such file with 2, and one without a tunnel that it could take with 1", async () => {
  const none = await causeway(["import", write("letter.txt", "Dear Sir\n")]);
  assert.equal(none.status, 2);
  assert.match(none.stderr, /letter\.txt:1: this is none of the files that are known/);
  const wrong = await causeway(["import", write("swanctl.conf", "connections {\n  a {\n")]);
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /swanctl\.conf:2: section a has no closing brace/);
  const eap = "connections {\n  a {\n    local { auth = eap-tls }\n    remote { auth = pubkey }\n  }\n}\n";
  const empty = await causeway(["import", write("eap.conf", eap)]);
  assert.equal(empty.status, 1);
  assert.match(empty.stderr, /eap\.conf:3: note: connection a is left out: auth = "eap-tls"/);
});

test("lint says whether two files connect, with 0 or 1, and prints no key", async () => {
  const file = write("gateway.yaml", GATEWAY);
  const theirs = await causeway(["export", "branch", "-c", file, "--for", "strongswan", "--with-secrets"]);
  const peer = write("peer.conf", theirs.stdout);
  const good = await causeway(["lint", file, peer]);
  assert.deepEqual([good.status, good.stderr], [0, ""]);
  assert.match(good.stdout, /^They will connect\.$/m);
  assert.doesNotMatch(good.stdout, /hUnTeR2/);
  const bad = await causeway(["lint", file, write("bad.conf", theirs.stdout.replace("hUnTeR2", "hUnTeR3")), "--json"]);
  assert.equal(bad.status, 1);
  const report = JSON.parse(bad.stdout) as {
    connect: boolean;
    tunnels: { lines: { attribute: string; judgement: string }[] }[];
  };
  assert.equal(report.connect, false);
  assert.deepEqual(
    report.tunnels[0]!.lines.filter(({ judgement }) => judgement !== "equal").map(({ attribute }) => attribute),
    ["pre-shared key"],
  );
  assert.doesNotMatch(bad.stdout, /hUnTeR/);
});

test("lint needs no key of ours to look at the rest", async () => {
  const file = write("away.yaml", GATEWAY.replace(/psk:.*/, "psk: { file: /nowhere/branch.psk }"));
  const peer = write("peer.conf", (await causeway(["export", "branch", "-c", file, "--for", "strongswan"])).stdout);
  const { status, stdout } = await causeway(["lint", file, peer]);
  assert.equal(status, 0);
  assert.match(stdout, /^ {2}\? pre-shared key +A not in the files · B not in the files$/m);
});

test("lint of a wrong file or tunnel is wrong usage; two files without a common tunnel do not connect", async () => {
  const file = write("gateway.yaml", GATEWAY);
  for (const [args, words] of [
    [[file, write("letter.txt", "Dear Sir\n")], /letter\.txt is no configuration that can be used:/],
    [[file, join(folder, "nowhere")], /nowhere cannot be read: there is no such file/],
    [[file, file, "--tunnel", "nobody"], /has no tunnel "nobody"; it has: branch/],
    [[file], /other/],
  ] as const) {
    const { status, stderr } = await causeway(["lint", ...args]);
    assert.equal(status, 2, args.join(" "));
    assert.match(stderr, words);
  }
  const strangers = write(
    "two.yaml",
    `${GATEWAY.replace("203.0.113.1", "192.0.2.9").replaceAll("10.1.", "10.7.").replace("198.51.100.7", "192.0.2.8")}  - name: more
    peer: 192.0.2.7
    psk: "${HIDDEN}"
    policies: [{ local: [192.168.9.0/24], peer: [10.8.0.0/16] }]
`,
  );
  const { status, stdout } = await causeway(["lint", file, strangers]);
  assert.equal(status, 1);
  assert.match(stdout, /no tunnel of A \(branch\) belongs to one of B \(branch, more\)/);
});

test("import of a download without ranges asks for them, and takes one of AWS's two tunnels", async () => {
  const file = write("aws.txt", SAMPLES["AWS's text"]!.text);
  const asked = await causeway(["import", file]);
  assert.equal(asked.status, 2);
  assert.match(asked.stderr, /names no address ranges; name them: --local 10\.1\.0\.0\/16 --peer 10\.2\.0\.0\/16/);
  const ranges = ["--local", "192.168.1.0/24", "--peer", "10.1.0.0/16", "--peer", "10.2.0.0/16"];
  const first = await causeway(["import", file, ...ranges]);
  assert.equal(first.status, 0);
  assert.match(first.stdout, /peer: 52\.0\.2\.10$/m);
  assert.match(
    first.stderr,
    /vpn-0123456789abcdef0-2, with the same ranges, is left out: .*--tunnel 2 takes it instead/,
  );
  const second = await causeway(["import", file, ...ranges, "--tunnel", "2"]);
  assert.match(second.stdout, /peer: 52\.0\.2\.20$/m);
  assert.equal((await causeway(["import", file, ...ranges, "--tunnel", "3"])).status, 2);
  assert.equal((await causeway(["import", file, "--local", "here", "--peer", "10.1.0.0/16"])).status, 2);
  assert.equal((await causeway(["import", file, "--local", "192.168.1.0/24"])).status, 2);
});

test("lint takes a cloud's download for the customer's side, which is to meet the cloud's", async () => {
  const aws = write("aws.txt", SAMPLES["AWS's text"]!.text);
  const gateway = `version: 1
gateway: { address: 203.0.113.1 }
tunnels:
  - name: cloud
    peer: 52.0.2.10
    psk: keyOfTheFirstTunnel
    policies: [{ local: [192.168.1.0/24], peer: [10.1.0.0/16] }]
    ike: { proposals: [aes256-sha256-modp2048] }
    esp: { proposals: [aes256-sha256], pfs: [modp2048] }
`;
  const { status, stdout } = await causeway(["lint", write("cloud.yaml", gateway), aws]);
  assert.deepEqual([status, /✗/.test(stdout)], [0, false]);
  const other = await causeway(["lint", write("cloud.yaml", gateway.replace("pfs: [modp2048]", "pfs: off")), aws]);
  assert.equal(other.status, 1);
  assert.match(other.stdout, /✗ PFS .*\n.*first rekey/);
});

test("import keeps of an IKEv1 file what one side can say there, and tells what went", async () => {
  const conf = `conn old
  keyexchange=ikev1
  authby=secret
  left=198.51.100.7
  leftsubnet=10.1.0.0/16
  right=203.0.113.1
  rightsubnet=192.168.1.0/24
  ike=aes256gcm16-prfsha256-modp2048,aes256-sha256-modp2048-modp1536
  esp=aes256-sha256-modp2048,aes128-sha1-modp1536,chacha20poly1305-modp2048
`;
  const { status, stdout, stderr } = await causeway(["import", write("old.conf", conf), "--kind", "strongswan-ipsec"]);
  assert.equal(status, 0, stderr);
  assert.match(
    stdout,
    /proposals:\n +- aes256-sha256-modp2048-modp1536\n +lifetime|proposals:\n +- aes256-sha256-modp2048-modp1536\n +esp:/,
  );
  assert.match(stdout, /esp:\n +proposals:\n +- aes256-sha256-modp2048\n/);
  assert.match(stderr, /note: tunnel old: proposals with algorithms that IKEv1 does not have are left out/);
  assert.match(
    stderr,
    /note: tunnel old: IKEv1 cannot offer a choice of groups here; the first one is kept \(modp2048\)/,
  );
});
