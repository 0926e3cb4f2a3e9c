import assert from "node:assert/strict";
import { test } from "node:test";
import { secret } from "../../crypto/secret.js";
import type { Report } from "../../ike/core/report.js";
import { createLog } from "../../src/log.js";
import { createReports } from "../../src/reports.js";
import { manualClock } from "./manual-clock.js";

function collect(format: "json" | "text", level: "info" | "debug" = "info") {
  const lines: string[] = [];
  return { lines, log: createLog({ level, format }, { write: (line) => void lines.push(line) }) };
}

const STORY: readonly Report[] = [
  { kind: "story", tunnel: "site", ike: "aa_00", peer: "192.0.2.2:500", story: "sends IKE_SA_INIT" },
  {
    kind: "ikeEstablished",
    tunnel: "site",
    ike: "aa_bb",
    peer: "192.0.2.2:500",
    proposal: "p",
    role: "initiator",
    nat: "none",
  },
  {
    kind: "failed",
    tunnel: "site",
    ike: "aa_bb",
    code: "AUTHENTICATION_FAILED",
    detail: "The key differs.",
  },
];

test("one negotiation is one story: each JSON line has the same names for tunnel, SPIs and peer", () => {
  const { lines, log } = collect("json");
  const reports = createReports(log, manualClock().clock);
  for (const report of STORY) reports.take(report);
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    parsed.map(({ level, tunnel, ike, msg }) => ({ level, tunnel, ike, msg })),
    [
      { level: "info", tunnel: "site", ike: "aa_00", msg: "sends IKE_SA_INIT" },
      { level: "info", tunnel: "site", ike: "aa_bb", msg: "IKE SA established as initiator" },
      {
        level: "warn",
        tunnel: "site",
        ike: "aa_bb",
        msg: "The key differs; compare the pre-shared key and both identities (local_id, peer_id) with the peer's, character by character",
      },
    ],
  );
  assert.ok(parsed.every(({ time }) => typeof time === "string" && !Number.isNaN(Date.parse(time))));
  assert.deepEqual(
    reports.events.after(0, 10).events.flatMap(({ event }) => (event.tunnel === "site" ? event.kind : [])),
    ["story", "ikeEstablished", "failed"],
  );
});

test("secrets are redacted, by their type and by their name, in both formats", () => {
  for (const format of ["json", "text"] as const) {
    const { lines, log } = collect(format);
    log.info("line", { tunnel: "site", psk: "geheim", value: secret(new Uint8Array([1, 2, 3])) });
    assert.ok(!lines[0]!.includes("geheim"));
    assert.equal(lines[0]!.split("[secret]").length, 3);
    const nested = { spi: 7, keys: "geheim", deeper: { plain: 1 } };
    log.info("line", { child: nested });
    assert.ok(!lines[1]!.includes("geheim"));
    assert.ok(lines[1]!.includes("[secret]") && lines[1]!.includes("plain"));
    assert.equal(nested.keys, "geheim");
  }
});

test("a text line stays one line and shows its fields, whatever a peer put into them", () => {
  const { lines, log } = collect("text");
  log.info("told", { tunnel: "site", peer: "192.0.2.2:500", vendor: "a\nb\u001b[31m" });
  assert.match(lines[0]!, /^\S+ info {2}site: told {2}peer=192\.0\.2\.2:500 vendor="a\\nb\\u001b\[31m"\n$/);
});

test("lines below the level are left out", () => {
  for (const format of ["json", "text"] as const) {
    const { lines, log } = collect(format);
    log.debug("quiet");
    log.warn("loud");
    assert.equal(lines.length, 1);
  }
});

test("input that changed nothing is told at once, then at most every 10 s with how many there were", () => {
  const { lines, log } = collect("text");
  const { clock, advance } = manualClock();
  const reports = createReports(log, clock);
  const ignored = (code: string): Report => ({ kind: "ignored", code, detail: `bad ${code}` });
  for (let i = 0; i < 1_000; i++) reports.take(ignored("truncated"));
  reports.take(ignored("unknown"));
  assert.equal(lines.length, 2);
  advance(10_000);
  reports.take(ignored("truncated"));
  assert.match(lines[2]!, /bad truncated \(and 999 more like it\)/);
});

test("what strangers cause is told fifty times in 10 s, and a tunnel's own story always", () => {
  const { lines, log } = collect("text");
  const { clock, advance } = manualClock();
  const reports = createReports(log, clock);
  for (let i = 0; i < 1_000; i++) reports.take({ kind: "failed", code: "INVALID_SYNTAX", detail: "bad" });
  assert.equal(lines.length, 50);
  for (let i = 0; i < 1_000; i++) reports.take({ kind: "story", story: "a peer asks for an IKE SA" });
  assert.equal(lines.length, 100);
  for (let i = 0; i < 100; i++) reports.take({ kind: "story", tunnel: "site", story: "goes on" });
  assert.equal(lines.length, 200);
  advance(10_000);
  reports.take({ kind: "failed", code: "INVALID_SYNTAX", detail: "bad" });
  assert.match(lines.at(-1)!, /bad; .* \(and 950 more like it\)/);
});

test("the list of events is bounded", () => {
  const { log } = collect("text");
  const reports = createReports(log, manualClock().clock);
  for (let i = 0; i < 3_000; i++) reports.take({ kind: "story", tunnel: "site", story: `step ${i}` });
  assert.equal(reports.events.after(0, 5_000).events.length, 1_000);
  assert.equal(reports.events.after(0, 1).events[0]!.event.message, "step 2000");
});

test("a line has a bounded length, whatever a peer proposed", () => {
  const { lines, log } = collect("text");
  const reports = createReports(log, manualClock().clock);
  reports.take({ kind: "failed", code: "NO_PROPOSAL_CHOSEN", detail: "x".repeat(60_000) });
  assert.ok(lines[0]!.length < 2_200);
});
