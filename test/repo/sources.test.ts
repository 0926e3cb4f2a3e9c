/** Rules for every file that we write. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { filesBelow, matches, read } from "./tree.js";

const FOLDERS = ["crypto", "esp", "ike", "src", "test", "scripts", ".ci"];
const MAX_LINES = 500;

/** Compiled from readable text beside them, so their length says nothing. */
const GENERATED = new Set(["esp/checksum-wasm.ts", "crypto/openssl/des-wasm.ts"]);

const sources = FOLDERS.flatMap(filesBelow).filter((file) => /\.(ts|mjs|c|wat|sh)$|\.ci\/run$/.test(file));
const texts = [
  ...sources,
  ...filesBelow("docs"),
  ...filesBelow(".").filter((file) => /^[^/]+\.(md|json|yaml)$/.test(file)),
];

test("no file waits for later work", () => {
  // Put together here, so that this file does not find itself.
  const words = ["TO", "FIX", "XX"].map((start, i) => start + ["DO", "ME", "X"][i]);
  assert.deepEqual(found(sources, new RegExp(`\\b(?:${words.join("|")})\\b`, "g")), []);
});

test(`no source is longer than ${MAX_LINES} lines`, () => {
  const long = sources
    .filter((file) => !GENERATED.has(file))
    .map((file) => ({ file, lines: read(file).split("\n").length }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ file, lines }) => `${file}: ${lines} lines`);
  assert.deepEqual(long, [], "a file has one reason to change: split it along its nouns");
});

test("no file names a path of the machine on which it was written", () => {
  assert.deepEqual(found(texts, /(?<![\w.-])\/(?:work|home\/\w+|Users)\/[\w.-]+/g), []);
});

test("files are named for a noun, in kebab-case", () => {
  const wrong = sources.filter((file) => {
    const name = file.split("/").at(-1)!;
    return !/^[a-z0-9]+(?:[-.][a-z0-9]+)*$/.test(name) || /\b(?:utils?|helpers?|managers?|common|misc)\b/.test(name);
  });
  assert.deepEqual(wrong, []);
});

function found(files: readonly string[], pattern: RegExp): string[] {
  return files.flatMap((file) => matches(read(file), pattern).map(({ line, text }) => `${file}:${line} ${text}`));
}
