// Writes docs/algorithms.md anew from the registry. Run it after a build: npm run algorithms.
import { writeFileSync } from "node:fs";
import { algorithmsDocument } from "../dist/src/docs/algorithms.js";

writeFileSync(new URL("../docs/algorithms.md", import.meta.url), algorithmsDocument());
