import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { systemRandom } from "../../crypto/random.js";
import { crashSecret } from "../../src/crash-secret.js";

test("the secret is made once, for this user alone, and is the same ever after", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "causeway-state-"));
  t.after(() => rm(folder, { recursive: true }));
  const state = join(folder, "deeper", "state");
  const first = await crashSecret(state, systemRandom);
  const again = await crashSecret(state, systemRandom);
  assert.equal(first.reveal().length, 32);
  assert.deepEqual(again.reveal(), first.reveal());
  assert.equal((await stat(join(state, "crash-secret"))).mode & 0o777, 0o600);
  assert.match(inspect(first), /\[secret\]/);
});

test("a file of another length, and a folder that cannot be made, are told with the remedy", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "causeway-state-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "crash-secret"), "short");
  await assert.rejects(crashSecret(folder, systemRandom), /crash-secret has not 32 octets: remove it/);
  await assert.rejects(
    crashSecret(join(folder, "crash-secret", "x"), systemRandom),
    /gateway\.state_dir: .*must belong/,
  );
});
