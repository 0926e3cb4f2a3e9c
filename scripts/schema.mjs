// Writes gateway.schema.json anew from the schema that the daemon checks with. Run it after a build: npm run schema.
import { writeFileSync } from "node:fs";
import { configurationJsonSchema } from "../dist/src/config/json-schema.js";

writeFileSync(new URL("../gateway.schema.json", import.meta.url), configurationJsonSchema());
