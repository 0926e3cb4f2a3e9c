import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { causesDocument } from "../../src/docs/causes.js";
import { packageRoot } from "../../src/package-root.js";
import { explainMatrixDocument } from "../interop/explain-document.js";
import { EXPLAIN_ROWS, explainRowName } from "../interop/explain-rows.js";

for (const [name, document] of [
  ["causes.md", causesDocument],
  ["explain-matrix.md", explainMatrixDocument],
] as const)
  test(`docs/${name} is what its table generates (npm run causes)`, () => {
    assert.equal(readFileSync(join(packageRoot(), "docs", name), "utf8"), document());
  });

test("the matrix of explain has every attribute, at least sixty rows with names of their own, and a third of them in npm test", () => {
  const rows = Object.values(EXPLAIN_ROWS).flat();
  const ci = rows.filter(({ tier }) => tier === "ci").length;
  assert(rows.length >= 60 && ci * 3 >= rows.length * 0.9 && ci >= 20, `${rows.length} rows, ${ci} in npm test`);
  assert.equal(new Set(rows.map(explainRowName)).size, rows.length);
  const attributes = new Set(rows.map(({ attribute }) => attribute));
  for (const name of [
    ...[
      "version",
      "mode",
      "authentication",
      "encryption",
      "hash",
      "prf",
      "integrity",
      "group",
      "local-id",
      "peer-id",
      "psk",
    ],
    ...["lifetime", "encapsulation", "pfs", "esn", "selectors"],
  ] as const)
    assert(attributes.has(name), name);
});
