import assert from "node:assert/strict";
import { test } from "node:test";
import { readDocument } from "../../src/config/document.js";
import { formatPath } from "../../src/config/path.js";

const problems = (text: string) =>
  readDocument(text).problems.map(
    ({ path, position: { line, column }, message }) => `${line}:${column} ${formatPath(path)}: ${message}`,
  );

test("every key and value of a document has its line and column", () => {
  const source = readDocument("# c\r\na:\r\n  b: [x, {k: y}]\r\n  ü: z\r\n");
  assert.deepEqual(source.positionOf(["a", "b"]), { line: 3, column: 6 });
  assert.deepEqual(source.positionOf(["a", "b", 1, "k"]), { line: 3, column: 14 });
  assert.deepEqual(source.positionOfKey(["a", "b", 1, "k"]), { line: 3, column: 11 });
  assert.deepEqual(source.positionOf(["a", "ü"]), { line: 4, column: 6 });
  assert.deepEqual(source.positionOf(["a", "nothing", 7]), source.positionOf(["a"]));
});

test("a duplicate key is told with both places", () => {
  assert.deepEqual(problems("a:\n  b: 1\n  c: 2\n  b: 3\n"), [
    "4:3 a.b: duplicate key: it stands here twice, first in line 2, column 3; keep one of them",
  ]);
});

test("anchors and aliases stand for their values", () => {
  assert.deepEqual(readDocument("a: &x [1, 2]\nb: *x\n").value, { a: [1, 2], b: [1, 2] });
});

test("an alias without an anchor is an error with its place", () => {
  assert.deepEqual(problems("a: 1\nb: { c: *nobody }\n"), ["2:9 b.c: the alias *nobody has no anchor &… before it"]);
});

test("an alias inside its own value is an error", () => {
  assert.match(problems("a: &x [1, *x]\n").join(), /inside the value that it names/);
});

test("aliases that multiply are stopped", () => {
  const levels = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(", ")}]`);
  assert.match(problems(["a0: &a0 x", ...levels].join("\n")).join(), /expand to more than \d+ values/);
});

test("a file that is nested without end is refused", () => {
  assert.equal(problems("[".repeat(200_000)).length > 0, true);
});

test("no message of a syntax error quotes the file, because a key may stand there", () => {
  const hidden = "hUnTeR2";
  const wrong = [
    `psk: "${hidden}`,
    `psk: *${hidden}`,
    `psk: !${hidden} x`,
    `psk: @${hidden}`,
    `psk: %${hidden}`,
    `psk: a: ${hidden}`,
    `psk: [${hidden}`,
    `psk: {${hidden}: 1, ${hidden}: 2}`,
    `psk: "\\${hidden}"`,
    `psk:\n\t${hidden}`,
    `psk: &${hidden} &x 1`,
    `psk: ${hidden}\n   x: ${hidden}`,
    `psk: '${hidden}' ${hidden}`,
    `psk: *${hidden} x`,
  ];
  for (const text of wrong) {
    const said = problems(text);
    assert.notEqual(said.length, 0, text);
    assert.doesNotMatch(said.join(), new RegExp(hidden), text);
  }
});

test("a key that reads as a number keeps its spelling", () => {
  assert.deepEqual(readDocument("psk: 0x00ab\nother: 0x10\n").value, { psk: "0x00ab", other: 16 });
  assert.deepEqual(readDocument("t: [{ psk: 0012 }]").value, { t: [{ psk: "0012" }] });
});

test("__proto__ is a key like any other", () => {
  const { value } = readDocument("__proto__: { polluted: 1 }");
  assert.deepEqual(Object.keys(value as object), ["__proto__"]);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test("several documents, tags and list keys are refused", () => {
  for (const text of ["a: 1\n---\nb: 2\n", "a: !tag 1\n", "[a]: 1\n", ": 1\n"])
    assert.notEqual(problems(text).length, 0, text);
});
