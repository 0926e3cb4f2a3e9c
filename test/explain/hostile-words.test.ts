/** A hostile peer's identities, vendor IDs and notification data never break a terminal, a log line or a page, and never grow. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8 } from "../../crypto/bytes.js";
import { formatIdPayload } from "../../ike/core/identity.js";
import type { Report } from "../../ike/core/report.js";
import { vendorName } from "../../ike/core/vendor-ids.js";
import { renderExplanation, renderHistory } from "../../src/cli/explain.js";
import { explanation, history, withCause } from "../../src/explain/explanation.js";
import { createRecorder } from "../../src/explain/recorder.js";
import { createLog } from "../../src/log.js";
import { createReports } from "../../src/reports.js";
import { manualClock } from "../daemon/manual-clock.js";
import { createPairV1 } from "../ike/v1/pair.js";
import { createPair, type Pair, type PairOptions, view } from "../ike/v2/pair.js";

/** Escape sequences, ends of lines, C1 controls, directions, markup, and plain noise. */
const hostile = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 3_000 }),
  fc
    .array(
      fc.constantFrom(
        "\u001b[2J",
        "\u001b]0;title\u0007",
        "\r\n",
        "\u0000",
        "\u009b31m",
        "\u202e",
        "</script>",
        "\u2028",
        "a",
      ),
      {
        minLength: 1,
        maxLength: 300,
      },
    )
    .map((parts) => utf8(parts.join(""))),
);
const PLAIN = /^[\x20-\x7e]*$/;
/** Of any one thing that is told. */
const LONGEST = 4_000;

function plain(words: string): void {
  assert(words.length <= LONGEST, `${words.length} characters`);
  assert.match(words, PLAIN);
}

test("identities of every type and vendor IDs are printable ASCII of a bounded length", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), hostile, (idType, data) => {
      plain(formatIdPayload({ idType, data }));
      plain(vendorName(data));
    }),
    { numRuns: 500 },
  );
});

for (const [mode, pairOf] of [
  ["ikev2", (data: Uint8Array) => createPair(calling(data))],
  ["main", (data: Uint8Array) => createPairV1("main", calling(data))],
  ["aggressive", (data: Uint8Array) => createPairV1("aggressive", calling(data))],
] as const)
  test(`${mode}: what is told of a caller with a hostile identity is plain in log, status, explain and why`, () => {
    fc.assert(
      fc.property(hostile, (data) => told(pairOf(data))),
      { numRuns: 25 },
    );
  });

/** A calls B with this identity. */
function calling(data: Uint8Array): PairOptions {
  const localId = { type: data.length % 2 === 0 ? "fqdn" : "keyId", data } as const;
  return { changeA: (tunnel) => ({ ...tunnel, localId }) };
}

function told(pair: Pair): void {
  pair.pass(500);
  const lines: string[] = [];
  const log = createLog({ level: "debug", format: "text" }, { write: (line: string) => void lines.push(line) });
  const reports = createReports(log, manualClock().clock);
  const recorder = createRecorder(["t"], () => 0);
  reports.onReport((report: Report) => recorder.take(report));
  for (const report of pair.b.reports) reports.take(report);
  assert(pair.b.reports.some(({ kind }) => kind === "failed"));
  for (const line of lines) plain(line.replace(/\n$/, ""));
  const now = view(pair.b);
  const recorded = recorder.recorded("t", now.state);
  const report = explanation(now, recorded);
  const why = history(now, recorded);
  assert(report.cause !== null);
  for (const text of [renderExplanation(report), renderHistory(why)]) for (const line of text.split("\n")) plain(line);
  plain(withCause(now, recorded).reason);
  for (const value of [report, why]) everyString(value, plain);
}

function everyString(value: unknown, check: (words: string) => void): void {
  if (typeof value === "string") check(value);
  else if (typeof value === "object" && value !== null) for (const one of Object.values(value)) everyString(one, check);
}
