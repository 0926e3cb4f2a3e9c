import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { runVectors, type VectorsResult } from "../../src/cli/vectors.js";
import { packageRoot } from "../../src/package-root.js";

test("causeway vectors --json tells cases, backends and speed, and exits 0", async (t) => {
  const { status, out } = await run(t, [], true);
  assert.equal(status, 0);
  const result = JSON.parse(out) as VectorsResult;
  assert.deepEqual(result.failures, []);
  assert.ok(result.lines.every(({ cases, passed, failed }) => cases === passed && failed === 0));
  for (const algorithm of Object.keys(result.chosen)) {
    assert.ok(
      result.lines.some((line) => line.algorithm === algorithm),
      algorithm,
    );
    assert.ok(
      result.speeds.some((speed) => speed.algorithm === algorithm && speed.microseconds > 0),
      algorithm,
    );
  }
});

test("the table says which algorithms rest on no published figure, and what is in use", async (t) => {
  const { out } = await run(t, [], false);
  assert.match(
    out,
    /2048-bit MODP Group +cross-checked-modp\.json \(cross-checked, no published figure\) +portable +2 +2 +0/,
  );
  assert.match(out, /ENCR_AES_CBC +portable +[\d.]+ +packet of 1408 octets/);
  assert.match(out, /in use/);
  assert.match(out, /0 failed$/m);
});

test("a folder with one wrong octet fails by name and exits 1", async (t) => {
  const folder = temporaryFolder(t);
  const good = readFileSync(join(packageRoot(), "vectors", "rfc4868-hmac-sha2.json"), "utf8");
  writeFileSync(join(folder, "wrong.json"), good.replace(/"icv": "../, '"icv": "00'));
  writeFileSync(join(folder, "strange.json"), `{ "cases": [{ "figure": 1 }] }`);
  const { status, out } = await run(t, [folder], false);
  assert.equal(status, 1);
  assert.match(out, /FAILED AUTH_HMAC_SHA2_256_128, portable: RFC 4868 AUTH256-1: the ICV was refused/);
  assert.match(out, /wrong\.json +portable +4 +3 +1/);
  assert.match(out, /not used, no cases for these algorithms: strange\.json/);
});

test("a suite may be one file", async (t) => {
  const file = join(temporaryFolder(t), "mine.json");
  writeFileSync(file, readFileSync(join(packageRoot(), "vectors", "rfc4868-hmac-sha2.json")));
  const { status, out } = await run(t, [file], false);
  assert.equal(status, 0);
  assert.match(out, /mine\.json +portable +4 +4 +0/);
});

test("a folder that is not there exits 2 with its name", async (t) => {
  const { status, err } = await run(t, [join(tmpdir(), "no-such-vectors")], false);
  assert.equal(status, 2);
  assert.match(err, /no-such-vectors: no such folder or file/);
});

/** Runs the command without the suites of the environment. */
async function run(t: TestContext, suites: readonly string[], json: boolean) {
  const environment = process.env.CAUSEWAY_VECTORS;
  delete process.env.CAUSEWAY_VECTORS;
  const out = t.mock.method(console, "log", () => undefined);
  const err = t.mock.method(console, "error", () => undefined);
  try {
    const status = await runVectors({ suites, json });
    const lines = (mock: typeof out) =>
      mock.mock.calls.map(({ arguments: [line] }: { arguments: unknown[] }) => String(line));
    return { status, out: lines(out).join("\n"), err: lines(err).join("\n") };
  } finally {
    if (environment !== undefined) process.env.CAUSEWAY_VECTORS = environment;
    t.mock.restoreAll();
  }
}

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "causeway-vectors-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}
