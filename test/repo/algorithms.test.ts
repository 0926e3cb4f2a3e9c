import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { algorithmsDocument } from "../../src/docs/algorithms.js";
import { packageRoot } from "../../src/package-root.js";

test("docs/algorithms.md is what the registry generates (npm run algorithms)", () => {
  assert.equal(readFileSync(join(packageRoot(), "docs", "algorithms.md"), "utf8"), algorithmsDocument());
});
