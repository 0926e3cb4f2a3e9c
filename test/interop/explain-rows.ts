/**
 * The matrix of `explain`: each attribute alone is made to differ, on either side, in every mode and in both roles, and `explain`
 * must name it with both values where the protocol lets them be known, and list it among what remains where it does not.
 */
import type { Attribute } from "../../ike/core/evidence.js";
import { V1, V2 } from "./explain-base.js";
import { SPECIAL } from "./explain-special.js";

export type ExplainMode = "main" | "aggressive" | "ikev2";
export type ExplainPeer = "strongswan" | "libreswan";
export type ExplainRole = "initiator" | "responder";

/** What one side is told instead of what both agree on. Proposals as our configuration and strongSwan's write them. */
export interface Told {
  readonly mode?: ExplainMode;
  readonly ike?: string;
  readonly esp?: string;
  readonly pfs?: "modp2048" | "modp3072";
  readonly localId?: string;
  /** `null`: ours alone; the default, which is the other's address. */
  readonly remoteId?: string | null;
  readonly otherPsk?: true;
  /** Seconds of phase 1, and of phase 2. */
  readonly lifetime?: number;
  readonly childLifetime?: number;
  /** Another network behind this side than the other one expects. */
  readonly otherNet?: true;
  /** How the peer authenticates itself, or what it wants of us. */
  readonly auth?: "eap" | "xauth" | "wants-pubkey" | "wants-xauth";
  readonly transport?: true;
  readonly pfsCheck?: true;
}

export type Expected =
  /** `explain` names exactly this attribute. Values: "–" is none, absent: not told; NET is the network that the row is about. */
  | { readonly names: Attribute; readonly ours?: string; readonly theirs?: string }
  /** Nothing is known to differ; this attribute is among those that remain. */
  | { readonly remains: Attribute }
  /** The tunnel comes up; the attribute is shown as different with both values, or as unknown. */
  | { readonly shows: Attribute; readonly ours: string; readonly theirs?: string }
  /** Nothing differs: the tunnel comes up, so that it is the change alone that the other rows are about. */
  | { readonly up: true };

export interface ExplainRow {
  readonly peer: ExplainPeer;
  readonly mode: ExplainMode;
  /** Ours. */
  readonly role: ExplainRole;
  readonly attribute: Attribute | "nothing";
  readonly phase: 1 | 2;
  /** Whose setting is another one. */
  readonly side: "ours" | "peer";
  readonly tier: "ci" | "full";
  readonly ours: Told;
  readonly theirs: Told;
  readonly expected: Expected;
}

/** An attribute with another value, which either side may have. */
interface Change {
  readonly attribute: Attribute;
  readonly phase: 1 | 2;
  readonly modes: readonly ExplainMode[];
  readonly told: Told;
  /** As the evidence words them. */
  readonly usual: string;
  readonly other: string;
}

const CHANGES: readonly Change[] = [
  {
    attribute: "encryption",
    phase: 1,
    modes: V1,
    told: { ike: "aes256-sha1-modp2048" },
    usual: "aes128",
    other: "aes256",
  },
  { attribute: "hash", phase: 1, modes: V1, told: { ike: "aes128-sha256-modp2048" }, usual: "sha1", other: "sha256" },
  {
    attribute: "group",
    phase: 1,
    modes: V1,
    told: { ike: "aes128-sha1-modp3072" },
    usual: "modp2048",
    other: "modp3072",
  },
  {
    attribute: "encryption",
    phase: 1,
    modes: V2,
    told: { ike: "aes256-sha256-prfsha256-modp2048" },
    usual: "aes128",
    other: "aes256",
  },
  {
    attribute: "prf",
    phase: 1,
    modes: V2,
    told: { ike: "aes128-sha256-prfsha384-modp2048" },
    usual: "prfsha256",
    other: "prfsha384",
  },
  {
    attribute: "integrity",
    phase: 1,
    modes: V2,
    told: { ike: "aes128-sha384-prfsha256-modp2048" },
    usual: "sha256",
    other: "sha384",
  },
  {
    attribute: "group",
    phase: 1,
    modes: V2,
    told: { ike: "aes128-sha256-prfsha256-modp3072" },
    usual: "modp2048",
    other: "modp3072",
  },
  { attribute: "encryption", phase: 2, modes: V1, told: { esp: "aes256-sha1" }, usual: "aes128", other: "aes256" },
  { attribute: "integrity", phase: 2, modes: V1, told: { esp: "aes128-sha256" }, usual: "sha1", other: "sha256" },
  { attribute: "pfs", phase: 2, modes: V1, told: { pfs: "modp2048" }, usual: "–", other: "modp2048" },
  { attribute: "encryption", phase: 2, modes: V2, told: { esp: "aes256-sha256" }, usual: "aes128", other: "aes256" },
  { attribute: "integrity", phase: 2, modes: V2, told: { esp: "aes128-sha384" }, usual: "sha256", other: "sha384" },
];

/** libreswan takes a PRF and an integrity algorithm of one hash alone, and has one key for both. */
function isPossible(peer: ExplainPeer, { attribute, modes }: Change): boolean {
  return peer === "strongswan" || modes !== V2 || (attribute !== "prf" && attribute !== "integrity");
}

/** libreswan answers an offer with PFS though it asks for none itself: nothing differs then. */
function sidesOf(peer: ExplainPeer, { attribute }: Change, role: ExplainRole): readonly ("ours" | "peer")[] {
  return peer === "libreswan" && attribute === "pfs" && role === "initiator" ? ["peer"] : ["ours", "peer"];
}

function changed(peer: ExplainPeer): readonly ExplainRow[] {
  return CHANGES.filter((change) => isPossible(peer, change)).flatMap((change) =>
    change.modes.flatMap((mode) =>
      (["responder", "initiator"] as const).flatMap((role) =>
        sidesOf(peer, change, role).map((side): ExplainRow => {
          const { attribute, phase, told, usual, other } = change;
          const [ours, theirs] = side === "ours" ? [other, usual] : [usual, other];
          return {
            peer,
            mode,
            role,
            attribute,
            phase,
            side,
            tier: "full",
            ours: side === "ours" ? told : {},
            theirs: side === "peer" ? told : {},
            expected: role === "responder" ? { names: attribute, ours, theirs } : { remains: attribute },
          };
        }),
      ),
    ),
  );
}

function special(peer: ExplainPeer): readonly ExplainRow[] {
  return SPECIAL.filter(({ peers }) => peers === undefined || peers.includes(peer)).flatMap(
    ({ modes, peers: _, ours = {}, theirs = {}, ...rest }) =>
      modes.map((mode): ExplainRow => ({ ...rest, peer, mode, tier: "full", ours, theirs })),
  );
}

/** Rows of `npm test`: the first of each attribute in each version and role. */
function inTiers(rows: readonly ExplainRow[]): readonly ExplainRow[] {
  const seen = new Set<string>();
  return rows.map((row) => {
    const key = `${row.attribute} ${row.phase} ${row.role} ${row.mode === "ikev2" ? 2 : 1}`;
    const first = !seen.has(key);
    seen.add(key);
    return first ? { ...row, tier: "ci" as const } : row;
  });
}

export const EXPLAIN_ROWS: Readonly<Record<ExplainPeer, readonly ExplainRow[]>> = {
  strongswan: inTiers([...special("strongswan"), ...changed("strongswan")]),
  libreswan: inTiers([...special("libreswan"), ...changed("libreswan")]),
};

export function explainRowName({ peer, mode, role, attribute, phase, side }: ExplainRow): string {
  const what =
    attribute === "nothing"
      ? "nothing differs"
      : `${attribute} of phase ${phase} differs at ${side === "ours" ? "us" : "the peer"}`;
  return `${peer}, ${mode}, we are the ${role}: ${what}`;
}

/** What `explain` has to say, in words. */
export function expectedWords(expected: Expected): string {
  if ("up" in expected) return "up, nothing differs";
  if ("remains" in expected) return `the peer does not say; ${expected.remains} remains`;
  const values = `ours ${expected.ours ?? "–"}, theirs ${expected.theirs ?? "not told"}`;
  if ("shows" in expected)
    return `up; ${expected.shows} is ${expected.theirs === undefined ? "unknown" : "different"} (${values})`;
  return `${expected.names} differs (${values})`;
}
