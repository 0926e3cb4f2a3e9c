// Writes docs/causes.md anew from the table of causes, and docs/explain-matrix.md from the rows that prove it. Run it after a build: npm run causes.
import { writeFileSync } from "node:fs";
import { causesDocument } from "../dist/src/docs/causes.js";
import { explainMatrixDocument } from "../dist/test/interop/explain-document.js";

writeFileSync(new URL("../docs/causes.md", import.meta.url), causesDocument());
writeFileSync(new URL("../docs/explain-matrix.md", import.meta.url), explainMatrixDocument());
