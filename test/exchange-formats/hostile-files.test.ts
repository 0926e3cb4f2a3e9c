import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mirrored } from "../../src/exchange-formats/connection.js";
import { UnreadableFile } from "../../src/exchange-formats/notes.js";
import { KINDS, type KindWord, kindOf, readForeign } from "../../src/exchange-formats/read-file.js";
import { configurationText, keyInText, withOwnNames } from "../../src/exchange-formats/tunnel-yaml.js";
import { load } from "../config/reading.js";
import { SAMPLES } from "./samples.js";

/** Reads, and prints ours of it; a file that is none ends in one kind of error, with a line. */
function survives(text: string, kind: KindWord, secrets?: string): void {
  try {
    const { connections, notes } = readForeign(text, kind, secrets);
    load(configurationText(withOwnNames(connections.map((each) => mirrored(each))), keyInText));
    assert.ok(notes.length <= 201);
    for (const { message } of notes) assert.doesNotMatch(message, /[\p{Cc}]/u);
  } catch (error) {
    assert.ok(error instanceof UnreadableFile, String((error as Error).stack));
    assert.ok(error.line >= 1);
    assert.doesNotMatch(error.message, /[\p{Cc}]/u);
  }
}

const SYLLABLES = fc.constantFrom(
  ...'connections {|secrets {|}|{|=|conn |config setup|\n|\n  |also=|ike=|esp=|left=|right=|leftsubnet=|id = |secret = |auth = psk|:|#|"|\\|include |,|!|-|aes256|%any|10.0.0.0/8|[tcp/|]|0s|0x|<|>|</|&|null|version = 1|PSK|children {|local {|remote {'.split(
    "|",
  ),
);
const noise = fc.oneof(
  fc.string({ maxLength: 300, unit: "binary" }),
  fc.array(fc.oneof(SYLLABLES, fc.string({ maxLength: 6 })), { maxLength: 80 }).map((parts) => parts.join("")),
);

for (const kind of KINDS)
  test(`${kind}: whatever stands in the file, it is read with notes or refused with a line`, () => {
    fc.assert(
      fc.property(noise, fc.option(noise, { nil: undefined }), (text, secrets) => survives(text, kind, secrets)),
      { numRuns: 300 },
    );
  });

for (const [name, { kind, text, secrets }] of Object.entries(SAMPLES))
  test(`${name}: cut, doubled and overwritten anywhere, it is read with notes or refused with a line`, () => {
    const position = fc.nat({ max: text.length });
    fc.assert(
      fc.property(position, position, fc.oneof(SYLLABLES, fc.string({ maxLength: 8 })), (a, b, words) => {
        const [from, to] = a < b ? [a, b] : [b, a];
        survives(text.slice(0, from) + words + text.slice(to), kind, secrets);
        survives(text.slice(0, to) + words + text.slice(from), kind, secrets);
      }),
      { numRuns: 60 },
    );
  });

test("sections without end, references in a ring and references that double are refused", () => {
  const ring = "connections {\n a : connections.b { }\n b : connections.a { }\n}\n";
  const doubling = [
    "x0 { a = 1 }",
    ...Array.from({ length: 40 }, (_, i) => `x${i + 1} {\n l : x${i} { }\n r : x${i} { }\n}`),
  ].join("\n");
  const conns = [
    "conn c0",
    "  left=1.1.1.1",
    ...Array.from({ length: 40 }, (_, i) => `conn c${i + 1}\n  also=c${i}\n  also=c${i}`),
  ].join("\n");
  for (const [kind, text] of [
    ["swanctl", ring],
    ["swanctl", doubling],
    ["swanctl", "a {".repeat(10_000)],
    ["swanctl", "connections {\n a {\n"],
    ["libreswan", "conn a\n  also=b\nconn b\n  also=a\n"],
    ["strongswan-ipsec", conns],
    ["libreswan", "conn a\n  also=nobody\n"],
  ] as const)
    assert.throws(() => readForeign(text, kind), UnreadableFile, text.slice(0, 60));
});

test("much of what makes careless patterns slow is read or refused in a moment", () => {
  const much = (piece: string) => piece.repeat(Math.ceil(2 ** 17 / piece.length));
  for (const piece of [
    "\n",
    " ",
    "<!-- -->",
    "<!--",
    "< ",
    "- ",
    "- a",
    " :",
    "#",
    '"',
    "a=",
    "conn a\n ",
    "also=",
    "! ",
    "dh ",
    "{",
    "[ ",
    ",",
    "\n  ike=",
  ])
    for (const front of [
      "",
      "conn a\n  left=1.1.1.1\n  leftsubnet=10.0.0.0/8",
      "connections { a { x = ",
      "<vpn_connection>",
      "IPSec Tunnel #1\n",
      ": PSK ",
    ]) {
      const text = front + much(piece);
      kindOf(text);
      for (const kind of KINDS) {
        const begun = performance.now();
        try {
          readForeign(text, kind, text);
        } catch (error) {
          assert.ok(error instanceof UnreadableFile, String((error as Error).stack));
        }
        assert.ok(performance.now() - begun < 20_000, `${kind}, ${JSON.stringify(front)} and ${JSON.stringify(piece)}`);
      }
    }
});
