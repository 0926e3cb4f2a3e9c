// Builds esp/checksum.wat into esp/checksum-wasm.ts. Run it after a change of the former: node scripts/wat.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import wabt from "wabt";

const root = join(import.meta.dirname, "..");
const target = join(root, "esp/checksum-wasm.ts");

/** The text of checksum-wasm.ts. */
export async function buildChecksumModule() {
  const source = readFileSync(join(root, "esp/checksum.wat"), "utf8");
  const module = (await wabt()).parseWat("checksum.wat", source, { simd: true, bulk_memory: true });
  const { buffer } = module.toBinary({});
  module.destroy();
  const lines = Buffer.from(buffer)
    .toString("base64")
    .match(/.{1,100}/g);
  return [
    "/** The module of checksum.wat in base64. Made by scripts/wat.mjs; do not edit. */",
    "export const CHECKSUM_WASM =",
    lines
      .map((line) => `  "${line}"`)
      .join(" +\n")
      .concat(";"),
    "",
  ].join("\n");
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(target, await buildChecksumModule());
  console.log(`wrote ${target}`);
}
