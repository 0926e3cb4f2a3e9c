/** What we depend on: exact versions, no registry's name, licences that Apache-2.0 may be shipped with. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { read } from "./tree.js";

interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly license?: string;
}

const manifest = JSON.parse(read("package.json")) as {
  readonly version: string;
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
};
const lock = JSON.parse(read("package-lock.json")) as {
  readonly version: string;
  readonly packages: Record<string, LockEntry>;
};
const installed = Object.entries(lock.packages).filter(([path]) => path !== "");

const LICENCES = new Set(["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "MIT OR Apache-2.0"]);

test("package.json names exact versions, and the lock file installs them", () => {
  const wanted = { ...manifest.dependencies, ...manifest.devDependencies };
  for (const [name, version] of Object.entries(wanted)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
    assert.equal(lock.packages[`node_modules/${name}`]?.version, version, name);
  }
  assert.equal(lock.version, manifest.version);
});

test("the lock file names no registry", () => {
  assert.deepEqual(
    installed.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path),
    [],
  );
});

test("every package has a licence of the list", () => {
  const wrong = installed
    .filter(([, entry]) => !LICENCES.has(entry.license ?? ""))
    .map(([path, entry]) => `${path}: ${entry.license ?? "none"}`);
  assert.deepEqual(wrong, []);
});
