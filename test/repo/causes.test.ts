import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { causesDocument } from "../../src/docs/causes.js";
import { packageRoot } from "../../src/package-root.js";

test("docs/causes.md is what the table of causes generates (npm run causes)", () => {
  assert.equal(readFileSync(join(packageRoot(), "docs", "causes.md"), "utf8"), causesDocument());
});
