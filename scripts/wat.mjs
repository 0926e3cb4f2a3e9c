// Builds esp/checksum.wat into esp/checksum-wasm.ts. Run it after a change of the former: node scripts/wat.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import wabt from "wabt";

const root = join(import.meta.dirname, "..");
const target = join(root, "esp/checksum-wasm.ts");

/** A TypeScript file with a constant: the module that `source` describes, in base64. */
export async function assemble(source, constant, comment) {
  const module = (await wabt()).parseWat(`${constant}.wat`, source, { simd: true, bulk_memory: true });
  const { buffer } = module.toBinary({});
  module.destroy();
  const lines = Buffer.from(buffer)
    .toString("base64")
    .match(/.{1,100}/g);
  return [
    comment,
    `export const ${constant} =`,
    lines
      .map((line) => `  "${line}"`)
      .join(" +\n")
      .concat(";"),
    "",
  ].join("\n");
}

/** The text of checksum-wasm.ts. */
export async function buildChecksumModule() {
  return assemble(
    readFileSync(join(root, "esp/checksum.wat"), "utf8"),
    "CHECKSUM_WASM",
    "/** The module of checksum.wat in base64. Made by scripts/wat.mjs; do not edit. */",
  );
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(target, await buildChecksumModule());
  console.log(`wrote ${target}`);
}
