/** `explain` and `why`: a tunnel's view and its flight recorder in words and tables. Pure. */
import type { Cause } from "../../ike/core/causes.js";
import type { Compared } from "../../ike/core/evidence.js";
import type { TunnelView } from "../../ike/core/view.js";
import type {
  ComparedRow,
  ExplainedCause,
  ExplainedPhase,
  ExplainReport,
  WhyReport,
} from "../control/explain-model.js";
import { isConnected, type Recorded, type RecordedEvent, type RecordedEvidence } from "./recorder.js";

export function explanation(
  view: TunnelView,
  recorded: Recorded,
  profile: ExplainReport["profile"] = null,
): ExplainReport {
  const { failure, evidence } = recorded;
  return {
    tunnel: view.name,
    state: view.state,
    sentence: sentenceOf(view, failure?.cause),
    next: view.next,
    cause: failure === undefined ? null : explainedCause(failure),
    phases: [explainedPhase(evidence[1]), explainedPhase(evidence[2])].filter((one) => one !== undefined),
    profile,
  };
}

export function history(view: TunnelView, recorded: Recorded): WhyReport {
  return {
    tunnel: view.name,
    state: view.state,
    sentence: sentenceOf(view, recorded.failure?.cause),
    events: recorded.events.map(({ first, last, count, kind, message, cause, unproven }) => ({
      first,
      last,
      count,
      kind,
      message,
      code: cause?.code ?? null,
      proven: !unproven,
    })),
  };
}

/** `status` tells the cause as well, where the core does not know it for one of the tunnel: a peer has not proved who it is. */
export function withCause(view: TunnelView, { failure }: Recorded): TunnelView {
  if (failure === undefined || isConnected(view.state) || view.reason.includes(failure.cause.detail)) return view;
  const told = `last refused: ${failure.cause.detail}`;
  return { ...view, reason: view.reason === "" ? told : `${told}; ${view.reason}` };
}

/** Why it is up or down. */
function sentenceOf(view: TunnelView, cause: Cause | undefined): string {
  const { name, state, ike, children } = view;
  if (cause === undefined) {
    if (!isConnected(state)) return `${name} is ${state}${view.reason === "" ? "" : `: ${view.reason}`}`;
    const up = children.filter(({ id }) => id !== undefined).length;
    const with_ = ike === undefined ? "" : ` with ${ike.remote} by IKEv${ike.version}, ${ike.proposal}`;
    return `${name} is up${with_}; ${up} of ${children.length} mappings ${up === 1 ? "is" : "are"} carried`;
  }
  const start = state === "established" ? `${name} is up, but ` : `${name} is ${state}, because `;
  return `${start}${cause.means}: ${reasonWords(cause)}`;
}

/** What differs, what remains, or what happened. */
export function reasonWords({ differs, suspects, detail }: Pick<Cause, "differs" | "suspects" | "detail">): string {
  if (differs.length > 0) return differs.map(differenceWords).join("; ");
  if (suspects.length > 0)
    return `${detail}. The peer does not say what it wants; these remain: ${suspects.map(({ attribute }) => TITLES[attribute]).join(", ")}`;
  return detail;
}

function differenceWords({ attribute, ours, theirs }: Compared): string {
  if (attribute === "psk") return "the pre-shared keys differ";
  const differs = `${TITLES[attribute]} ${attribute === "selectors" ? "differ" : "differs"}`;
  if (theirs === undefined) return `${differs}, the peer does not say its value`;
  return `${differs} (theirs ${words(theirs)}, ours ${words(ours)})`;
}

function words(values: readonly string[]): string {
  return values.length === 0 ? "none" : values.join(" ");
}

/** For people; the JSON has the attribute's own name. */
export const TITLES: Readonly<Record<string, string>> = {
  version: "the version",
  mode: "the mode",
  authentication: "authentication",
  encryption: "encryption",
  hash: "the hash",
  prf: "the PRF",
  integrity: "integrity",
  group: "the group",
  "local-id": "our identity",
  "peer-id": "the peer's identity",
  psk: "the pre-shared key",
  lifetime: "the lifetime",
  protocol: "the protocol",
  encapsulation: "the encapsulation mode",
  pfs: "PFS",
  esn: "ESN",
  selectors: "the selectors",
  other: "something unknown",
};

function explainedCause(event: RecordedEvent & { readonly cause: Cause }): ExplainedCause {
  const { code, means, detail, exchange, message, differs, suspects, fix, peerFix, rfc } = event.cause;
  return {
    code,
    means,
    detail,
    exchange: exchange ?? null,
    message: message ?? null,
    time: event.last,
    count: event.count,
    proven: !event.unproven,
    differs: differs.map(comparedRow),
    remain: suspects.map(comparedRow),
    fix,
    peer_fix: peerFix,
    rfc,
  };
}

function explainedPhase(recorded: RecordedEvidence | undefined): ExplainedPhase | undefined {
  if (recorded === undefined) return undefined;
  const { time, unproven, evidence } = recorded;
  const { phase, rows, proposals, more } = evidence;
  return {
    phase,
    time,
    proven: !unproven,
    rows: rows.map(comparedRow),
    proposals: proposals.map(({ number, rows: own }) => ({ number, rows: own.map(comparedRow) })),
    more,
  };
}

function comparedRow({ attribute, verdict, ours, theirs, suspect }: Compared): ComparedRow {
  return {
    attribute,
    verdict,
    ours: [...ours],
    theirs: theirs === undefined ? null : [...theirs],
    suspect: suspect === true,
  };
}
