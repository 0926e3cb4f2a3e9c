import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { hindrance, missingTools } from "../../src/demo/enclosure.js";
import { type Finished, run, start, until } from "../child.js";

const MAIN = join(import.meta.dirname, "..", "..", "src", "main.js");
const ENCLOSURE = join(import.meta.dirname, "..", "..", "src", "demo", "enclosure.js");
const isRoot = process.getuid?.() === 0;
const SKIP = hindrance() ?? false;
const NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
const SECONDS = 150;

/** Every process of a demo carries its mark in the environment. */
const MARK = "CAUSEWAY_TEST_DEMO";

test("the demo shows a tunnel with traffic, as the user who runs the tests", { skip: SKIP }, async () => {
  await showsTunnel([process.execPath, MAIN, "demo"]);
});

test("the demo needs no root where the kernel lets ordinary users have namespaces", {
  skip: await nobodysHindrance(),
}, async () => {
  await showsTunnel([...NOBODY, process.execPath, MAIN, "demo"]);
});

for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const)
  test(`${signal} in the middle of the demo leaves nothing behind`, { skip: SKIP }, async () => {
    const mark = `${process.pid}-${signal}`;
    const demo = start(["sh", "-c", 'echo "pid $$"; exec "$@"', "sh", process.execPath, MAIN, "demo"], {
      seconds: SECONDS,
      env: { ...process.env, [MARK]: mark },
    });
    await until("the gateways to start", 60, async () => (/^2\. /m.test(demo.output()) ? true : undefined));
    assert.ok(marked(mark).length >= 4, "the command, the demo and its gateways run");
    process.kill(Number(/^pid (\d+)/.exec(demo.output())?.[1]), signal);
    const ended = await demo.ended;
    assert.equal(ended.status, { SIGINT: 130, SIGTERM: 143, SIGKILL: undefined }[signal], ended.stdout + ended.stderr);
    assert.doesNotMatch(ended.stdout, /^7\. /m);
    await nothingLeft(mark);
  });

test("a host that lacks tools is told which, and where they come from", () => {
  assert.match(
    missingTools([import.meta.dirname]) ?? "",
    /^missing: ip, unshare, nsenter, mount\. .*: apt-get install iproute2 util-linux mount$/,
  );
});

async function showsTunnel(argv: readonly string[]): Promise<void> {
  const mark = `${process.pid}-${argv.length}`;
  const done = await run(argv, { seconds: SECONDS, env: { ...process.env, [MARK]: mark } });
  assert.equal(done.status, 0, said(done));
  assert.match(done.stdout, /^ {3}5 of 5 came back/m, said(done));
  assert.match(done.stdout, /^ {3}SHA-256 [0-9a-f]{16}\.\.\. is the same at both ends/m, said(done));
  assert.match(done.stdout, /^ {3}to-right: established; peer 192\.0\.2\.2/m, said(done));
  assert.match(done.stdout, /Nothing is left on this host/);
  assert.equal(done.stderr, "");
  await nothingLeft(mark);
}

/** The demo's devices, routes and files are in namespaces that live as long as a process in them, or a name that it gave. */
async function nothingLeft(mark: string): Promise<void> {
  await until("every process of the demo to be gone", 10, async () => (marked(mark).length === 0 ? true : undefined));
  assert.ok(!["left.yaml", "left.psk", "left.sock", "netns/left"].some((name) => existsSync(join("/run", name))));
  const devices = readdirSync("/sys/class/net");
  assert.deepEqual(
    devices.filter((name) => ["wan", "lan", "causeway0"].includes(name)),
    [],
  );
}

function marked(mark: string): string[] {
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && environmentOf(pid).includes(`${MARK}=${mark}`));
}

function environmentOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return []; // it has ended, or it is somebody else's
  }
}

async function nobodysHindrance(): Promise<string | false> {
  if (SKIP !== false) return SKIP;
  if (!isRoot) return "the tests do not run as root: the test above is this one";
  const probe = `console.log((await import(${JSON.stringify(ENCLOSURE)})).hindrance() ?? "")`;
  const done = await run([...NOBODY, process.execPath, "--input-type=module", "-e", probe]);
  if (done.status !== 0) return "the user nobody may not read this folder";
  return done.stdout.trim() || false;
}

function said({ stdout, stderr }: Finished): string {
  return `${stdout}\n${stderr}`;
}
