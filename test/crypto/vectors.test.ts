import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { backendsOf, type WorkingRow } from "../../crypto/backends.js";
import { KNOWN_ANSWERS } from "../../crypto/known-answers.js";
import { type FileCase, parseVectorFile } from "../../crypto/proof/vector-file.js";
import { allRows } from "../../crypto/registry/lookup.js";
import { runVector } from "../../src/cli/vector-run.js";
import { ownSuites, type Suite, userSuites } from "../../src/cli/vector-suites.js";
import { packageRoot } from "../../src/package-root.js";

for (const suite of ownSuites()) {
  test(`${suite.name}: every backend gives all ${suite.cases.length} figures`, () => prove(suite));
}

const folder = process.env.CAUSEWAY_VECTORS;
test("the Wycheproof files hold on every backend, and what is skipped has a reason", {
  skip: folder === undefined || folder === "" ? "CAUSEWAY_VECTORS is not set" : false,
}, (t) => {
  const { suites, unused } = userSuites(folder!);
  const wycheproof = suites.filter(({ name }) => name.startsWith("wycheproof"));
  assert.ok(wycheproof.length >= 10, `only ${wycheproof.length} Wycheproof files in ${folder}`);
  for (const suite of wycheproof) {
    prove(suite);
    for (const [reason, count] of suite.skipped) t.diagnostic(`${suite.name}: ${count} skipped, ${reason}`);
  }
  t.diagnostic(`files for other algorithms: ${unused.join(", ")}`);
});

test("one altered octet in any field of any case fails it", () => {
  for (const { name, cases } of ownSuites())
    for (const vector of cases.filter(firstOfItsKind()))
      for (const field of figures(vector)) {
        const row = rowOf(vector);
        const altered = { ...vector, [field]: alter(vector[field as keyof FileCase] as string) } as FileCase;
        const failure = runVector(row, backendsOf(row)[0]!, altered);
        assert.notEqual(failure, undefined, `${name}, ${vector.source}: ${field} does not count`);
      }
});

test("one altered octet of an encrypted message, of its payloads or of a child's keys fails a whole session", () => {
  const sessions = ownSuites().flatMap(({ cases }) =>
    cases.filter((vector) => vector.kind === "ikev1-session" || vector.kind === "ikev2-session"),
  );
  assert.ok(sessions.length >= 4);
  for (const vector of sessions) {
    const row = rowOf(vector);
    const fails = (altered: FileCase, what: string) =>
      assert.notEqual(
        runVector(row, backendsOf(row)[0]!, altered),
        undefined,
        `${vector.source}: ${what} does not count`,
      );
    for (const [index, message] of vector.messages.entries())
      for (const field of ["message", "plain", "iv"] as const) {
        const figure = message[field];
        // A vendor ID in the clear is covered by nothing; what is encrypted, and the keys behind it, are.
        if (figure === undefined || (field === "message" && message.plain === undefined && !message.repeated)) continue;
        const changed = { ...message, [field]: field === "message" ? alterEnd(figure) : alter(figure) };
        fails({ ...vector, messages: vector.messages.with(index, changed) }, `${field} of message ${index + 1}`);
      }
    const { child } = vector;
    if (child === undefined) continue;
    for (const field of ["encryptionI", "integrityI", "encryptionR", "integrityR"] as const)
      fails({ ...vector, child: { ...child, [field]: alter(child[field]) } }, field);
  }
});

test("a case that says invalid fails when its figures are right", () => {
  for (const { cases } of ownSuites())
    for (const vector of cases.filter(
      ({ kind, valid }) => valid !== false && ["aead", "mac", "shared-secret"].includes(kind),
    )) {
      const row = rowOf(vector);
      assert.notEqual(runVector(row, backendsOf(row)[0]!, { ...vector, valid: false }), undefined, vector.source);
    }
});

test("every known answer of start-up is a case of a vector file", () => {
  const published = new Set(ownSuites().flatMap(({ cases }) => cases.map((entry) => JSON.stringify(sorted(entry)))));
  for (const answer of KNOWN_ANSWERS) assert.ok(published.has(JSON.stringify(sorted(answer))), answer.source);
});

test("every key length of every row has a known answer", () => {
  for (const row of allRows()) {
    if (row.kind === "sequence") continue;
    const answers = KNOWN_ANSWERS.filter((answer) => answer.row === row.name);
    assert.ok(answers.length > 0, row.name);
    if (row.kind !== "encryption") continue;
    const lengths = new Set(answers.map((answer) => 4 * ("key" in answer ? answer.key.length : 0) - 8 * row.saltBytes));
    assert.deepEqual([...lengths].sort(), [...row.keyBits].sort(), row.name);
  }
});

test("a broken vector file is refused by file, case and field", () => {
  const good = readFileSync(join(packageRoot(), "vectors", "rfc5903-ecp.json"), "utf8");
  const refused = (json: string, message: RegExp) =>
    assert.throws(
      () => parseVectorFile("x.json", json),
      (error) => error instanceof RangeError && message.test(error.message),
    );
  refused(`{ "cases": [] }`, /x\.json: a vector file has "what", "sources" and "cases"/);
  refused(good.replace('"kind": "key-exchange"', '"kind": "handshake"'), /x\.json, case 1: unknown kind handshake/);
  refused(good.replace(/"privateI": "../, '"privateI": "zz'), /case 1: "privateI" is not lower-case hex/);
  refused(good.replace('"row"', '"rows"'), /case 1: "row" is missing/);
});

function prove(suite: Suite): void {
  for (const vector of suite.cases) {
    const row = rowOf(vector);
    for (const backend of backendsOf(row)) {
      const failure = runVector(row, backend, vector);
      assert.equal(failure, undefined, `${vector.source}, ${backend}`);
    }
  }
}

function rowOf(vector: FileCase): WorkingRow {
  return allRows().find((row): row is WorkingRow => row.name === vector.row && row.kind !== "sequence")!;
}

/** The fields of a case that hold figures; `mode` and the like are remarks. */
function figures(vector: FileCase): string[] {
  return Object.entries(vector)
    .filter(
      ([field, value]) =>
        !["kind", "row", "source", "mode", "auth", "suite"].includes(field) &&
        typeof value === "string" &&
        value !== "",
    )
    .map(([field]) => field);
}

/** Changes a bit that every algorithm looks at: DES does not count the lowest of an octet of its key. */
function alter(hexText: string): string {
  const at = hexText.length > 2 ? 2 : 0; // X25519 ignores the lowest bits of the first octet and the highest of the last
  return hexText.slice(0, at + 1) + (Number.parseInt(hexText[at + 1]!, 16) ^ 2).toString(16) + hexText.slice(at + 2);
}

/** Changes the last octet of a message: the end of its ciphertext, or of its ICV. */
function alterEnd(hexText: string): string {
  return hexText.slice(0, -1) + (Number.parseInt(hexText.at(-1)!, 16) ^ 2).toString(16);
}

/** A filter that passes the first case of each kind and row. */
function firstOfItsKind(): (vector: FileCase) => boolean {
  const seen = new Set<string>();
  return ({ kind, row, valid }) => {
    const key = `${kind} ${row}`;
    if (valid === false || seen.has(key)) return false;
    seen.add(key);
    return true;
  };
}

function sorted(vector: FileCase): readonly (readonly [string, unknown])[] {
  return Object.entries(vector).sort(([a], [b]) => (a < b ? -1 : 1));
}
