/**
 * The flight recorder: for each tunnel the last events that led to its present state, and what is known of both sides' parameters. Bounded:
 * so many events for each tunnel, so many characters for each event, and what strangers cause never pushes out what the tunnel
 * itself has been through.
 */
import { type Cause, causeOf } from "../../ike/core/causes.js";
import type { Blamed, Evidence, Phase } from "../../ike/core/evidence.js";
import type { Report } from "../../ike/core/report.js";
import type { TunnelState } from "../../ike/core/view.js";
import { messageOf } from "../reports.js";
import { timestamp } from "../timestamp.js";

export interface RecordedEvent {
  /** ISO 8601, UTC: the first and the last time of `count` in a row. */
  readonly first: string;
  readonly last: string;
  readonly count: number;
  readonly kind: Report["kind"] | "wish";
  readonly message: string;
  readonly cause?: Cause;
  /** Said or done by somebody who has proved nothing. */
  readonly unproven: boolean;
}

/** What was compared, and when. */
export interface RecordedEvidence {
  readonly time: string;
  readonly unproven: boolean;
  readonly evidence: Evidence;
}

export interface Recorded {
  /** Oldest first. */
  readonly events: readonly RecordedEvent[];
  /** The newest failure; absent once everything is well again. */
  readonly failure?: RecordedEvent & { readonly cause: Cause };
  /** The newest of each phase. */
  readonly evidence: Readonly<Partial<Record<Phase, RecordedEvidence>>>;
}

export interface Recorder {
  take(report: Report): void;
  /** An operator wants something of a tunnel: earlier failures are no reason of what comes. */
  note(tunnel: string, message: string): void;
  /** What strangers say is no evidence about a tunnel that is connected. */
  recorded(tunnel: string, state: TunnelState): Recorded;
  /** Only these tunnels are there now. */
  keepOnly(tunnels: readonly string[]): void;
}

/** Events of a tunnel's own, and events that strangers cause. */
const MOST_EVENTS = 64;
const MOST_STRANGERS = 8;
const LONGEST_MESSAGE = 500;

interface Track {
  readonly own: RecordedEvent[];
  readonly strangers: RecordedEvent[];
  readonly evidence: Map<Phase, RecordedEvidence>;
  readonly strangeEvidence: Map<Phase, RecordedEvidence>;
  failure?: RecordedEvent & { readonly cause: Cause };
  strangeFailure?: RecordedEvent & { readonly cause: Cause };
  /** A child has come up since the failure: of the same mapping, if no other one is missing. */
  settled: boolean;
}

/** `time` is the hour of the wall clock in milliseconds. */
export function createRecorder(tunnels: readonly string[], time: () => number = Date.now): Recorder {
  let tracks = new Map(tunnels.map((name) => [name, newTrack()]));

  function add(
    list: RecordedEvent[],
    most: number,
    event: Omit<RecordedEvent, "first" | "last" | "count">,
  ): RecordedEvent {
    const now = timestamp(time());
    const message =
      event.message.length > LONGEST_MESSAGE ? `${event.message.slice(0, LONGEST_MESSAGE)}…` : event.message;
    const before = list.at(-1);
    const again = before !== undefined && before.kind === event.kind && before.message === message;
    const entry = again
      ? { ...before, ...event, message, last: now, count: before.count + 1 }
      : { ...event, message, first: now, last: now, count: 1 };
    if (again) list.pop();
    else if (list.length >= most) list.shift();
    list.push(entry);
    return entry;
  }

  function told(name: string, report: Report, evidence: Evidence | undefined, stranger: boolean): void {
    const track = tracks.get(name);
    if (track === undefined) return;
    const { kind } = report;
    const unproven = stranger || (kind === "failed" && report.unproven === true);
    if (kind === "ikeClosed" && !endsBy(track.own, "failed")) forget(track);
    const cause = kind === "failed" ? causeOf({ ...report, ...(evidence && { evidence }) }) : undefined;
    const list = stranger ? track.strangers : track.own;
    const entry = add(list, stranger ? MOST_STRANGERS : MOST_EVENTS, {
      kind,
      message: messageOf(report),
      unproven,
      ...(cause && { cause }),
    });
    if (cause !== undefined) {
      track[stranger ? "strangeFailure" : "failure"] = { ...entry, cause };
      if (!stranger) track.settled = false;
    }
    if (evidence !== undefined) {
      const store = stranger ? track.strangeEvidence : track.evidence;
      store.set(evidence.phase, { time: entry.last, unproven, evidence });
    }
    if (kind === "ikeEstablished") begin(track);
    if (kind === "childEstablished") track.settled = true;
  }

  /** The peer has proved who it is: what was before is over. */
  function begin(track: Track): void {
    forget(track);
    track.strangeEvidence.clear();
    track.evidence.delete(2);
  }

  function forget(track: Track): void {
    delete track.failure;
    delete track.strangeFailure;
  }

  return {
    take(report) {
      if (report.kind === "ignored") return;
      if (report.kind === "failed" && report.candidates !== undefined) {
        for (const { tunnel, evidence } of report.candidates as readonly Blamed[]) told(tunnel, report, evidence, true);
        return;
      }
      if (report.tunnel === undefined) return;
      told(report.tunnel, report, "evidence" in report ? report.evidence : undefined, false);
    },
    note(tunnel, message) {
      const track = tracks.get(tunnel);
      if (track === undefined) return;
      add(track.own, MOST_EVENTS, { kind: "wish", message, unproven: false });
      forget(track);
    },
    recorded(tunnel, state) {
      const track = tracks.get(tunnel) ?? newTrack();
      const connected = isConnected(state);
      const own = state === "established" && track.settled ? undefined : track.failure;
      const evidence = new Map(track.evidence);
      if (!connected)
        for (const [phase, one] of track.strangeEvidence)
          if ((evidence.get(phase)?.time ?? "") <= one.time) evidence.set(phase, one);
      const failures = [own, ...(connected ? [] : [track.strangeFailure])].filter((one) => one !== undefined);
      const failure = failures.reduce<Recorded["failure"]>(
        (newest, one) => (newest === undefined || newest.last <= one.last ? one : newest),
        undefined,
      );
      return {
        events: [...track.own, ...track.strangers].sort((a, b) => (a.last < b.last ? -1 : a.last > b.last ? 1 : 0)),
        ...(failure && { failure }),
        evidence: Object.fromEntries(evidence),
      };
    },
    keepOnly(names) {
      tracks = new Map(names.map((name) => [name, tracks.get(name) ?? newTrack()]));
    },
  };
}

/** Whether the last thing that happened, but for children that went, was of this kind: what an IKE SA closes for stands before it. */
function endsBy(events: readonly RecordedEvent[], kind: RecordedEvent["kind"]): boolean {
  return events.findLast((event) => event.kind !== "childClosed")?.kind === kind;
}

/** Whether what strangers say is of no account. */
export function isConnected(state: TunnelState): boolean {
  return state === "established" || state === "degraded";
}

function newTrack(): Track {
  return { own: [], strangers: [], evidence: new Map(), strangeEvidence: new Map(), settled: false };
}
