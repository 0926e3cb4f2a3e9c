/**
 * What becomes of the core's typed reports: a line of the log, and an entry in the bounded list of events that explains
 * the present state of a tunnel. What strangers can cause, and inputs that changed nothing, are told at a limited rate.
 */
import type { Report } from "../ike/core/report.js";
import type { Log, LogFields, LogLevel } from "./log.js";
import type { Clock } from "./scheduler.js";

export interface ReportedEvent {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly kind: Report["kind"];
  readonly tunnel?: string;
  readonly ike?: string;
  readonly peer?: string;
  readonly message: string;
}

export interface Reports {
  take(report: Report): void;
  /** Oldest first; of one tunnel, or of all. */
  events(tunnel?: string): readonly ReportedEvent[];
  /** Calls for each report from now on; the result stops it. */
  onReport(listener: (report: Report) => void): () => void;
}

/** Events kept in memory. */
const KEPT = 1_000;
/** Milliseconds between two lines about ignored input with the same code. */
const IGNORED_INTERVAL = 10_000;
/** Lines in that time about peers that no tunnel is known for: anybody can cause them. */
const STRANGER_LINES = 100;
/** Characters of a line: a peer's proposals may be long. */
const LONGEST_LINE = 2_000;
/** Codes are ours and few; the bound holds even if one were made from what a peer sends. */
const MAXIMUM_CODES = 256;

export function createReports(log: Log, clock: Clock): Reports {
  const kept: ReportedEvent[] = [];
  const listeners = new Set<(report: Report) => void>();
  const ignored = new Map<string, { told: number; silent: number }>();
  let strangers = { since: Number.NEGATIVE_INFINITY, told: 0, silent: 0 };

  /** How many of the code went untold since the last line; undefined: not to be told now. */
  function untold(code: string): number | undefined {
    const now = clock.now();
    const entry = ignored.get(code);
    if (entry === undefined) {
      if (ignored.size < MAXIMUM_CODES) ignored.set(code, { told: now, silent: 0 });
      return 0;
    }
    if (now - entry.told < IGNORED_INTERVAL) {
      entry.silent++;
      return undefined;
    }
    const { silent } = entry;
    ignored.set(code, { told: now, silent: 0 });
    return silent;
  }

  /** The same for lines that strangers cause. */
  function untoldOfStrangers(): number | undefined {
    const now = clock.now();
    if (now - strangers.since >= IGNORED_INTERVAL) {
      const { silent } = strangers;
      strangers = { since: now, told: 1, silent: 0 };
      return silent;
    }
    if (strangers.told < STRANGER_LINES) {
      strangers.told++;
      return 0;
    }
    strangers.silent++;
    return undefined;
  }

  function silentBefore(report: Report): number | undefined {
    if (report.kind === "ignored") return untold(report.code);
    return report.tunnel === undefined ? untoldOfStrangers() : 0;
  }

  function keep(report: Report, message: string): void {
    const { kind, tunnel, ike, peer } = report;
    if (kept.length >= KEPT) kept.shift();
    const about = { ...(tunnel && { tunnel }), ...(ike && { ike }), ...(peer && { peer }) };
    kept.push({ time: new Date().toISOString(), kind, ...about, message });
  }

  return {
    take(report) {
      const { level, message, fields } = describeReport(report);
      const silent = silentBefore(report);
      if (silent === undefined) return;
      const short = message.length <= LONGEST_LINE ? message : `${message.slice(0, LONGEST_LINE)}…`;
      const line = silent > 0 ? `${short} (and ${silent} more like it)` : short;
      log.write(level, line, fields);
      // Routine would push out what explains the state.
      if (!(report.kind === "story" && report.routine)) keep(report, line);
      for (const listener of [...listeners]) listener(report);
    },
    events: (tunnel) => (tunnel === undefined ? [...kept] : kept.filter((event) => event.tunnel === tunnel)),
    onReport(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** The line of a report. */
export function describeReport(report: Report): { level: LogLevel; message: string; fields: LogFields } {
  const { tunnel, ike, peer } = report;
  const about: LogFields = { ...(tunnel && { tunnel }), ...(ike && { ike }), ...(peer && { peer }) };
  switch (report.kind) {
    case "story":
      return { level: report.routine ? "debug" : "info", message: report.story, fields: about };
    case "ikeEstablished":
      return {
        level: "info",
        message: `IKE SA established as ${report.role}`,
        fields: { ...about, proposal: report.proposal, nat: report.nat },
      };
    case "childEstablished":
      return {
        level: "info",
        message: `child SA established: ${report.local.join(", ")} to ${report.remote.join(", ")}`,
        fields: { ...about, child: report.child, proposal: report.proposal },
      };
    case "childClosed":
      return {
        level: "info",
        message: `child SA closed: ${report.reason}`,
        fields: { ...about, child: report.child },
      };
    case "ikeClosed":
      return { level: "info", message: `IKE SA closed: ${report.reason}`, fields: about };
    case "failed":
      return {
        level: "warn",
        message: failureSentence(report),
        fields: { ...about, code: report.code },
      };
    case "ignored":
      return { level: "warn", message: `ignored: ${report.detail}`, fields: { ...about, code: report.code } };
  }
}

/** What went wrong and what to do about it. */
export function failureSentence({ detail, advice }: { readonly detail: string; readonly advice: string }): string {
  return advice === "" ? detail : `${detail.replace(/[.;\s]+$/, "")}; ${advice}`;
}
