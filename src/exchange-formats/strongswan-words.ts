/** What both writers for strongSwan share. Its words are those of the registry; SM4 and SM3 it lacks. */

import type { Usage } from "../../crypto/registry/level.js";
import { keywordOf } from "../../crypto/registry/lookup.js";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import type { CompleteConnection, Connection, Start } from "./connection.js";
import type { ExportOptions } from "./export-options.js";
import { fitting, type Spelling, singleChoices } from "./spelling.js";

const strongswanSpelling: Spelling = (usage, row, keyBits) => {
  if (row.ids.ikev2 === undefined && row.kind !== "sequence") return undefined;
  return usage === "ike" && row.kind === "encryption" && row.espOnly ? undefined : keywordOf(row, keyBits);
};

/** Comma-separated; IKEv1 takes one algorithm of a kind in each. */
export function strongswanProposalText(
  { version, ike, esp }: CompleteConnection,
  usage: Usage,
  { reduce }: ExportOptions,
): { readonly text: string; readonly leftOut: readonly string[] } {
  const all: readonly (IkeProposal | EspProposal)[] = usage === "ike" ? ike.proposals : esp.proposals;
  const { proposals, leftOut } = fitting(all, usage, strongswanSpelling, reduce);
  const written = version === 1 ? singleChoices(proposals) : proposals;
  return { text: written.map((each) => proposalKeywords(onlyExtendedIsTold(each, version))).join(", "), leftOut };
}

/** IKEv1 has extended sequence numbers on request alone, so nothing is said of 32-bit ones. */
function onlyExtendedIsTold<P extends IkeProposal | EspProposal>(proposal: P, version: 1 | 2): P {
  if (version === 2 || !("sequence" in proposal) || proposal.sequence.some(({ extended }) => extended)) return proposal;
  return { ...proposal, sequence: [] };
}

export const STRONGSWAN_START: Readonly<Record<Start, { readonly swanctl: string; readonly starter: string }>> = {
  active: { swanctl: "start", starter: "start" },
  passive: { swanctl: "none", starter: "add" },
  "on-traffic": { swanctl: "trap", starter: "route" },
};

/** For the peer that calls: it does not give up either. */
export function deathAction({ dpd }: Connection): "clear" | "restart" | "trap" {
  if (dpd === undefined || dpd === "off" || dpd.action === undefined || dpd.action === "clear") return "clear";
  return dpd.action === "on-traffic" ? "trap" : "restart";
}

/** A renewal before the end: at nine tenths of the lifetime. */
export function renewalAt(lifetimeSeconds: number): number {
  return Math.max(1, Math.floor(lifetimeSeconds * 0.9));
}
