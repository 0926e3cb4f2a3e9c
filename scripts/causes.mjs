// Writes docs/causes.md anew from the table of causes. Run it after a build: npm run causes.
import { writeFileSync } from "node:fs";
import { causesDocument } from "../dist/src/docs/causes.js";

writeFileSync(new URL("../docs/causes.md", import.meta.url), causesDocument());
