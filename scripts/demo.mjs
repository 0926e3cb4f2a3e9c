/**
 * `npm run demo` in a clone: compiles what changed, then does what `causeway demo` does. Built-ins only until it is compiled.
 */
import { join } from "node:path";
import { must, root } from "./process.mjs";

must(process.execPath, [join(root, "scripts", "build.mjs"), "--keep"], { seconds: 300 });
process.argv.splice(2, Number.POSITIVE_INFINITY, "demo");
await import("../dist/src/main.js");
