/**
 * What becomes of the core's typed reports: a line of the log, and an entry in the bounded list of events that explains
 * the present state of a tunnel. What strangers can
 * cause is counted, and told at a limited rate.
 */
import { adviceFor, type Failure } from "../ike/core/causes.js";
import type { Report } from "../ike/core/report.js";
import { createEventRing, type EventRing } from "./event-ring.js";
import type { Log, LogFields, LogLevel } from "./log.js";
import type { Clock } from "./scheduler.js";
import { timestamp } from "./timestamp.js";

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
  /** The last of them, numbered. */
  readonly events: EventRing<ReportedEvent>;
  /** Calls for each report from now on; the result stops it. */
  onReport(listener: (report: Report) => void): () => void;
}

/** Events kept in memory. */
const KEPT = 1_000;
/** Milliseconds in which reports of one code are told up to their allowance, and then only counted. */
const INTERVAL = 10_000;
/** Lines per interval and code: about input that changed nothing, and about peers that have not proved who they are. */
const ALLOWANCE = { ignored: 1, unproved: 50 } as const;
/** Characters of a line: what a peer proposes may be long. */
const LONGEST_LINE = 2_000;
/** Codes are ours and few; the bound holds even if one were made from what a peer sends. */
const MAXIMUM_CODES = 256;

export function createReports(log: Log, clock: Clock): Reports {
  const events = createEventRing<ReportedEvent>(KEPT);
  const listeners = new Set<(report: Report) => void>();
  const counted = new Map<string, { since: number; told: number; silent: number }>();

  /** How many of the code went untold in the interval before; undefined: this one is not to be told. */
  function untold(code: string, allowance: number): number | undefined {
    const now = clock.now();
    const entry = counted.get(code);
    if (entry === undefined || now - entry.since >= INTERVAL) {
      if (entry !== undefined || counted.size < MAXIMUM_CODES) counted.set(code, { since: now, told: 1, silent: 0 });
      return entry?.silent ?? 0;
    }
    if (entry.told < allowance) {
      entry.told++;
      return 0;
    }
    entry.silent++;
    return undefined;
  }

  function keep(report: Report, message: string): void {
    events.push({ time: timestamp(Date.now()), kind: report.kind, ...namesOf(report), message });
  }

  return {
    take(report) {
      const { level, message, fields } = describeReport(report);
      const told = message.length <= LONGEST_LINE ? message : `${message.slice(0, LONGEST_LINE)}…`;
      let line = told;
      const limit = limitOf(report);
      if (limit !== undefined) {
        const silent = untold(limit.code, limit.allowance);
        if (silent === undefined) return;
        if (silent > 0) line = `${told} (and ${silent} more like it)`;
      }
      log.write(level, line, fields);
      keep(report, line);
      for (const listener of [...listeners]) listener(report);
    },
    events,
    onReport(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** What anybody can cause by sending packets may not fill the log. */
function limitOf(report: Report): { code: string; allowance: number } | undefined {
  if (report.kind === "ignored") return { code: report.code, allowance: ALLOWANCE.ignored };
  if (report.tunnel !== undefined) return undefined;
  return { code: report.kind === "failed" ? `failed ${report.code}` : report.kind, allowance: ALLOWANCE.unproved };
}

/** The line of a report. */
function describeReport(report: Report): { level: LogLevel; message: string; fields: LogFields } {
  const message = messageOf(report);
  const about = namesOf(report);
  switch (report.kind) {
    case "ikeEstablished":
      return { level: "info", message, fields: { ...about, proposal: report.proposal, nat: report.nat } };
    case "childEstablished": {
      const { child, replaces, proposal } = report;
      const fields = replaces === undefined ? { child, proposal } : { child, replaces, proposal };
      return { level: "info", message, fields: { ...about, ...fields } };
    }
    case "childClosed":
      return { level: "info", message, fields: { ...about, child: report.child } };
    case "story":
    case "ikeClosed":
      return { level: "info", message, fields: about };
    case "failed":
    case "ignored":
      return { level: "warn", message, fields: { ...about, code: report.code } };
  }
}

/** Whom it is about, in the names that every line and every event has. */
function namesOf({ tunnel, ike, peer }: Report): { tunnel?: string; ike?: string; peer?: string } {
  const names: ReturnType<typeof namesOf> = {};
  if (tunnel) names.tunnel = tunnel;
  if (ike) names.ike = ike;
  if (peer) names.peer = peer;
  return names;
}

export function messageOf(report: Report): string {
  switch (report.kind) {
    case "story":
      return report.story;
    case "ikeEstablished":
      return `IKE SA established as ${report.role}`;
    case "childEstablished":
      return `child SA established: ${report.local.join(", ")} to ${report.remote.join(", ")}`;
    case "childClosed":
      return `child SA closed: ${report.reason}`;
    case "ikeClosed":
      return `IKE SA closed: ${report.reason}`;
    case "failed":
      return failureSentence(report);
    case "ignored":
      return `ignored: ${report.detail}`;
  }
}

/** What went wrong and what to do about it. */
export function failureSentence(failure: Failure): string {
  return `${failure.detail.replace(/[.;\s]+$/, "")}; ${adviceFor(failure)}`;
}
