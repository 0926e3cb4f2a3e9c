/**
 * Compiles everything into dist/.
 *
 *   build.mjs           a clean build: what was compiled from a file that is gone must not be found by a test or a package
 *   build.mjs --keep    compiles what changed
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { must, root } from "./process.mjs";

if (!process.argv.includes("--keep")) rmSync(join(root, "dist"), { recursive: true, force: true });
const compiler = join(root, "node_modules", ".bin", "tsc");
if (!existsSync(compiler)) {
  console.error("causeway build: the compiler is missing: run `npm run setup` first");
  process.exit(2);
}
must(compiler, ["-b"], { seconds: 300 });
