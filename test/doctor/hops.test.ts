import assert from "node:assert/strict";
import { test } from "node:test";
import type { DiagnosisReport } from "../../src/control/diagnosis.js";
import { judgeHops, type Snapshot, traceHops } from "../../src/doctor/hops.js";

interface Counted {
  readonly transmitted?: number;
  readonly received?: number;
  readonly out?: number;
  readonly in?: number;
  readonly drops?: Readonly<Record<string, number>>;
  readonly stray?: Readonly<Record<string, number>>;
  readonly encapsulation?: "esp" | "udp";
}

function snapshot({
  transmitted = 0,
  received = 0,
  out = 0,
  in: came = 0,
  drops = {},
  stray = {},
  encapsulation = "esp",
}: Counted): Snapshot {
  const counters = { bytes_in: 0, bytes_out: 0, packets_in: came, packets_out: out };
  const child = {
    local: [],
    peer: [],
    state: "established",
    reason: "",
    spi_in: "00000001",
    spi_out: "00000002",
    proposal: "",
    encapsulation,
    rekey_in_s: 1,
    ...counters,
  } as const;
  const tunnel = {
    name: "site",
    state: "established",
    reason: "",
    peer: "",
    ike: null,
    children: [child],
    counters: { ...counters, drops },
  } as const;
  const report = { status: { gateway: { name: "g", version: "0", uptime_s: 1, drops: stray }, tunnels: [tunnel] } };
  return { report: report as unknown as DiagnosisReport, device: { up: true, mtu: 1500, transmitted, received } };
}

/** What three echo requests change, hop by hop, and which finding follows. */
const ROWS: readonly (readonly [what: string, after: Counted, code: string])[] = [
  ["the device sees nothing", {}, "hop-tun-in"],
  ["no mapping covers them", { transmitted: 3, drops: {}, stray: { noPolicy: 3 } }, "hop-policy"],
  ["they are too big to be sealed", { transmitted: 3, drops: { tooBig: 3 } }, "hop-sealed"],
  ["the system does not send them", { transmitted: 3, out: 3, drops: { sendFailed: 3 } }, "hop-sent"],
  ["nothing comes back, as ESP", { transmitted: 3, out: 3 }, "esp-blocked"],
  ["nothing comes back, as ESP in UDP", { transmitted: 3, out: 3, encapsulation: "udp" }, "nothing-back"],
  ["what comes back does not open", { transmitted: 3, out: 3, drops: { forged: 3 } }, "hop-opened"],
  ["what comes back has an SPI that nobody knows", { transmitted: 3, out: 3, stray: { unknownSpi: 3 } }, "hop-opened"],
  [
    "what comes back is outside of the selectors",
    { transmitted: 3, out: 3, drops: { selectorMismatch: 3 } },
    "selector",
  ],
  ["what comes back does not reach the device", { transmitted: 3, out: 3, in: 3 }, "hop-tun-out"],
  ["everything comes back, and is no answer", { transmitted: 3, out: 3, in: 3, received: 3 }, "no-answer"],
];

for (const [what, counted, code] of ROWS)
  test(`a tunnel without traffic is told by the hop that fails: ${what}`, () => {
    const [before, after] = [snapshot({}), snapshot(counted)];
    const hops = traceHops("site", before, after, 0);
    const echo = { source: "10.1.0.1", target: "10.2.0.1", sent: 3, answered: 0 };
    const finding = judgeHops(after.report.status.tunnels[0]!, hops, echo);
    assert.equal(finding.code, code, JSON.stringify(hops));
    assert.notEqual(finding.remedy ?? "", "");
  });

test("without an address of its own the doctor judges what has passed since the daemon runs", () => {
  const now = snapshot({ transmitted: 9, received: 8, out: 9, in: 8 });
  const status = now.report.status.tunnels[0]!;
  assert.equal(judgeHops(status, traceHops("site", now, now, 0), undefined).verdict, "good");
  const never = snapshot({ transmitted: 9, out: 9 });
  assert.equal(
    judgeHops(never.report.status.tunnels[0]!, traceHops("site", never, never, 0), undefined).code,
    "esp-blocked",
  );
});
