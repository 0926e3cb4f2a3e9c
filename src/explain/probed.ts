/** What a probe has found at a peer beside what a tunnel is configured with, attribute by attribute. Pure. */
import { keywordOf } from "../../crypto/registry/lookup.js";
import type { TransformRow } from "../../crypto/registry/row.js";
import type { EncryptionChoice } from "../../crypto/registry/suite.js";
import type { Compared } from "../../ike/core/evidence.js";
import { formatIdentity } from "../../ike/core/identity.js";
import { lifetimeWords, PRE_SHARED_KEY, selectorWords } from "../../ike/core/our-values.js";
import type { TunnelPolicy } from "../../ike/core/policy.js";
import { acceptedChildWords } from "../../ike/probe/child-questions.js";
import { acceptedWords } from "../../ike/probe/questions.js";
import type { AskedChildren } from "../probe/children.js";
import type { VersionResult } from "../probe/peer.js";

export interface ComparedPhase {
  readonly phase: 1 | 2;
  readonly rows: readonly Compared[];
  /** Why there are no rows, or none further. */
  readonly note?: string;
}

/** What a peer says after it knows who we are. */
const AFTER_AUTHENTICATION: readonly string[] = ["TS_UNACCEPTABLE", "SINGLE_PAIR_REQUIRED", "NO_ADDITIONAL_SAS"];

/** `result`: of the tunnel's own version; its children were asked for with the tunnel's first mapping. */
export function compareProbed(tunnel: TunnelPolicy, result: VersionResult): readonly ComparedPhase[] {
  const { ike, esp } = tunnel;
  const { verdict, accepted, modes, children, note } = result;
  const version = row("version", [`IKEv${ike.version}`], verdict === "accepted" ? [`IKEv${ike.version}`] : undefined);
  if (accepted === undefined) {
    const told =
      verdict === "silent" ? "the peer does not answer in this version" : "the peer accepts no algorithm that we know";
    return [{ phase: 1, rows: [version], note: note ?? told }];
  }
  const theirs = acceptedWords(accepted);
  const isV1 = ike.version === 1;
  const mode = modes && Object.entries(modes).flatMap(([name, one]) => (one === "accepted" ? [name] : []));
  const needsIntegrity = ike.proposals.some(({ integrity }) => integrity.length > 0);
  const first = [
    version,
    ...(isV1 ? [row("mode", [ike.exchange ?? "main"], mode)] : []),
    row("encryption", choices(ike.proposals), theirs.encryption),
    ...(isV1 || needsIntegrity
      ? [row(isV1 ? "hash" : "integrity", words(ike.proposals.flatMap(({ integrity }) => integrity)), theirs.integrity)]
      : []),
    ...(isV1 ? [] : [row("prf", words(ike.proposals.flatMap(({ prf }) => prf)), theirs.prf)]),
    row("group", words(ike.proposals.flatMap(({ keyExchange }) => keyExchange)), theirs.groups),
    ...(children === undefined ? [] : proven(tunnel, children)),
    unsaid(lifetimeWords(ike.lifetimeSeconds, ike.volumeOctets ?? 0)),
  ];
  const phases: ComparedPhase[] = [{ phase: 1, rows: first }];
  if (children === undefined) return phases;
  if (children.accepted === undefined) {
    const told = children.note ?? "the peer accepts no algorithm of ESP that we know";
    const rows = children.code === "TS_UNACCEPTABLE" ? [selectors(tunnel, children)] : [];
    return [...phases, { phase: 2, rows, note: told }];
  }
  const inside = acceptedChildWords(children.accepted);
  const pfs = esp.proposals.flatMap(({ keyExchange }) => (keyExchange.length === 0 ? ["off"] : words(keyExchange)));
  const needs = esp.proposals.some(({ integrity }) => integrity.length > 0);
  const second = [
    row("encryption", choices(esp.proposals), inside.encryption),
    ...(needs ? [row("integrity", words(esp.proposals.flatMap(({ integrity }) => integrity)), inside.integrity)] : []),
    row("pfs", [...new Set(pfs)], inside.pfs),
    row("esn", words(esp.proposals.flatMap(({ sequence }) => sequence)), inside.sequence),
    selectors(tunnel, children),
    unsaid(lifetimeWords(esp.lifetimeSeconds, esp.volumeOctets)),
  ];
  return [...phases, { phase: 2, rows: second }];
}

/** Identities and key: right when the peer went on behind them, and else what may be wrong. */
function proven({ localId, peerId }: TunnelPolicy, { verdict, code }: AskedChildren): readonly Compared[] {
  const known = verdict !== "failed" || (code !== undefined && AFTER_AUTHENTICATION.includes(code));
  const values = [
    ["authentication", PRE_SHARED_KEY],
    ["local-id", localId === undefined ? "our address" : formatIdentity(localId)],
    ["peer-id", peerId === undefined ? "its address" : formatIdentity(peerId)],
    ["psk", "configured"],
  ] as const;
  return values.map(([attribute, value]) =>
    known
      ? { attribute, verdict: "equal", ours: [value], theirs: [value] }
      : { attribute, verdict: "unknown", ours: [value], suspect: true },
  );
}

/** Neither version tells the other end's lifetime before there is an SA; IKEv2 never does. */
function unsaid(ours: readonly string[]): Compared {
  return { attribute: "lifetime", verdict: "unknown", ours };
}

/** Of the first mapping. What the peer narrows is not what we want. */
function selectors({ mappings }: TunnelPolicy, { local, remote }: AskedChildren): Compared {
  const [mapping] = mappings;
  const ours = mapping === undefined ? [] : [selectorWords([mapping.local], [mapping.peer])];
  if (local === undefined || remote === undefined) return { attribute: "selectors", verdict: "different", ours };
  return row("selectors", ours, [`${local.join(", ")} <-> ${remote.join(", ")}`]);
}

/** One value that both have is enough. */
function row(
  attribute: Compared["attribute"],
  ours: readonly string[],
  theirs: readonly string[] | undefined,
): Compared {
  if (theirs === undefined) return { attribute, verdict: "unknown", ours, suspect: true };
  return { attribute, verdict: ours.some((one) => theirs.includes(one)) ? "equal" : "different", ours, theirs };
}

function choices(proposals: readonly { readonly encryption: readonly EncryptionChoice[] }[]): readonly string[] {
  return [...new Set(proposals.flatMap(({ encryption }) => encryption.map((one) => keywordOf(one.row, one.keyBits))))];
}

function words(rows: readonly TransformRow[]): readonly string[] {
  return [...new Set(rows.map((one) => keywordOf(one)))];
}

/** What differs, in a sentence for the operator. */
export function probedSentence(phases: readonly ComparedPhase[]): string {
  const different = phases.flatMap(({ phase, rows }) =>
    rows.filter(({ verdict }) => verdict === "different").map(({ attribute }) => `${attribute} of phase ${phase}`),
  );
  if (different.length > 0) return `the probe finds that these differ: ${different.join(", ")}`;
  const note = phases.find((one) => one.note !== undefined)?.note;
  if (note !== undefined) return `the probe finds: ${note}`;
  return "the probe finds that the peer accepts one of our values of every attribute; what differs, if anything does, is which of them go together";
}
