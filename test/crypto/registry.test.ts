import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import {
  allKeywords,
  allRows,
  keywordOf,
  rowById,
  rowByKeyword,
  rowByName,
  sealerSpecByName,
} from "../../crypto/registry/lookup.js";
import { notYetSupported } from "../../crypto/registry/not-yet.js";
import type { TransformIds, TransformRow } from "../../crypto/registry/row.js";
import { ownSuites } from "../../src/cli/vector-suites.js";
import { packageRoot } from "../../src/package-root.js";

/** Rows without a second, independent implementation, and why none is needed. */
const ONE_IMPLEMENTATION: Readonly<Record<string, string>> = {
  ENCR_NULL: "there is nothing to compute",
};

const SPACES: readonly (keyof TransformIds)[] = ["ikev2", "phase1", "phase2"];

test("no two rows of a kind share a number in one number space", () => {
  for (const space of SPACES) {
    const taken = allRows().filter((row) => row.ids[space] !== undefined);
    const numbers = taken.map((row) => `${row.kind} ${row.ids[space]}`);
    assert.deepEqual(duplicates(numbers), [], space);
    for (const row of taken) assert.equal(rowById(row.kind, space, row.ids[space]!), row);
  }
});

test("every row but those of SM4 and SM3 has an IKEv2 number, and each a name of its own in its kind", () => {
  for (const row of allRows())
    if (/SM[34]/.test(row.name)) assert.deepEqual(row.ids, {}, row.name);
    else assert.equal(typeof row.ids.ikev2, "number", row.name);
  assert.deepEqual(duplicates(allRows().map((row) => `${row.kind} ${row.name}`)), []);
  for (const row of allRows()) assert.equal(rowByName(row.kind, row.name), row);
});

test("a keyword means one thing in the whole registry", () => {
  const spellings = allRows().flatMap((row) =>
    row.kind === "encryption"
      ? row.keywords.flatMap((word) =>
          word.includes("*") ? row.keyBits.map((bits) => word.replace("*", String(bits))) : [word],
        )
      : row.keywords,
  );
  assert.deepEqual(duplicates(spellings), []);
  assert.equal(allKeywords().size, spellings.length);
});

test("the printed keyword of every row and key length leads back to it", () => {
  for (const row of allRows())
    for (const keyBits of row.kind === "encryption" ? row.keyBits : [undefined]) {
      const meaning = rowByKeyword(keywordOf(row, keyBits));
      assert.equal(meaning?.row, row);
      assert.equal(meaning?.keyBits, keyBits);
    }
});

test("no word is both a keyword and not supported yet", () => {
  assert.deepEqual(
    notYetSupported().filter((word) => rowByKeyword(word) !== undefined),
    [],
  );
});

test("the file that a row names has cases for the row", () => {
  const cases = new Set(ownSuites().flatMap(({ name, cases }) => cases.map(({ row }) => `${name} ${row}`)));
  const lacking = allRows().filter(
    (row) => typeof row.vectors === "string" && row.kind !== "sequence" && !cases.has(`${row.vectors} ${row.name}`),
  );
  assert.deepEqual(lacking.map(nameOf), []);
});

test("every case of every vector file is for a row", () => {
  const names = new Set(allRows().map(nameOf));
  const strange = ownSuites().flatMap(({ name, cases }) =>
    cases.filter(({ row }) => !names.has(row)).map(({ row }) => `${name}: ${row}`),
  );
  assert.deepEqual(strange, []);
});

test("the README of the vectors names the origin of every file", () => {
  const readme = readFileSync(join(packageRoot(), "vectors", "README.md"), "utf8");
  assert.deepEqual(
    ownSuites()
      .filter(({ name }) => !readme.includes(`| \`${name}\` |`))
      .map(({ name }) => name),
    [],
  );
});

test("extended sequence numbers are proved by packets that have them", () => {
  const row = rowByName("sequence", "Partially Transmitted 64-bit Sequential Numbers");
  const packets = ownSuites().find(({ name }) => name === row.vectors)!.cases;
  assert.ok(packets.some((packet) => packet.kind === "esp" && packet.esnHigh !== undefined));
});

test("every row that does something has a portable implementation and one of OpenSSL", () => {
  for (const row of allRows()) {
    if (row.kind === "sequence") continue;
    const { openssl, node, portable } = row.implementations as Record<string, unknown>;
    assert.ok(portable, `${row.name} has no oracle`);
    assert.ok(openssl ?? node, `${row.name} has no fast backend`);
    const same = portable === openssl || portable === node;
    assert.equal(same, row.name in ONE_IMPLEMENTATION, `${row.name}: is it implemented twice?`);
  }
});

test("the portable backend has nothing of OpenSSL in it", () => {
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, from] of readFileSync(file, "utf8").matchAll(/^import (?!type )[^"]*"([^"]+)";$/gms)) {
      assert.doesNotMatch(from!, /^node:|koffi/, `${file} imports ${from}`);
      if (from!.startsWith(".")) visit(join(dirname(file), from!.replace(/\.js$/, ".ts")));
    }
  };
  const folder = join(packageRoot(), "crypto", "portable");
  for (const name of readdirSync(folder)) visit(join(folder, name));
  assert.ok(seen.size > 8);
});

test("an AEAD has an ICV, a counter mode a salt, and other ciphers neither", () => {
  for (const row of allRows()) {
    if (row.kind !== "encryption") continue;
    assert.equal(row.icvBytes > 0, row.aead, row.name);
    const counts = row.aead || (row.blockBytes === 1 && row.ivBytes > 0);
    assert.equal(row.saltBytes > 0, counts, row.name);
    assert.equal(row.keyLengthAttribute, row.keyBits.length > 1, row.name);
  }
});

test("private values of a group are twice as long as its strength", () => {
  for (const row of allRows())
    if (row.kind === "keyExchange") assert.ok(row.privateBytes * 8 >= 2 * row.securityBits, row.name);
});

test("a worker message's names find their rows; a strange name is refused", () => {
  const spec = sealerSpecByName({ encryption: "ENCR_AES_CBC", keyBits: 256, integrity: "AUTH_HMAC_SHA2_256_128" });
  assert.equal(spec.integrity?.icvBytes, 16);
  assert.equal("integrity" in sealerSpecByName({ encryption: "ENCR_AES_GCM_16", keyBits: 128 }), false);
  assert.throws(() => sealerSpecByName({ encryption: "ENCR_ROT13", keyBits: 128 }), RangeError);
});

function duplicates(list: readonly string[]): string[] {
  return list.filter((entry, i) => list.indexOf(entry) !== i);
}

function nameOf(row: TransformRow): string {
  return row.name;
}
