/**
 * What IKEv1 lets one side say, made of what a product's file says: our configuration refuses the rest, because only one of several
 * would ever be tried (RFC 2409 sections 5.4 and 5.5).
 */
import { keywordOf } from "../../crypto/registry/lookup.js";
import { DEFAULT_NUMBERING, numberOf } from "../../crypto/registry/numbering.js";
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import type { Connection } from "./connection.js";

/** The connection without what its version cannot have, and a sentence for each thing that went. */
export function withinVersion(connection: Connection): {
  readonly connection: Connection;
  readonly notes: readonly string[];
} {
  const { version, exchange, ike, esp, name } = connection;
  if (version !== 1) return { connection, notes: [] };
  const notes: string[] = [];
  const phase1 = ike.proposals?.flatMap((proposal) => phase1Of(proposal) ?? []) ?? [];
  const phase2 = esp.proposals?.flatMap((proposal) => phase2Of(proposal) ?? []) ?? [];
  if (phase1.length < (ike.proposals?.length ?? 0) || phase2.length < (esp.proposals?.length ?? 0))
    notes.push(`tunnel ${name}: proposals with algorithms that IKEv1 does not have are left out`);
  const oneGroup = exchange === "aggressive" ? ofOneGroup(phase1) : phase1;
  const onePfs = ofOneGroup(phase2);
  if (onePfs !== phase2 || oneGroup !== phase1)
    notes.push(
      `tunnel ${name}: IKEv1 cannot offer a choice of groups here; the first one is kept (${groupWords(onePfs)})`,
    );
  return {
    connection: {
      ...connection,
      ike: { ...ike, ...(ike.proposals && { proposals: oneGroup }) },
      esp: { ...esp, ...(esp.proposals && { proposals: onePfs }) },
    },
    notes,
  };
}

function phase1Of(proposal: IkeProposal): IkeProposal | undefined {
  const has = (row: Parameters<typeof numberOf>[1]) => numberOf(DEFAULT_NUMBERING, row, "phase1") !== undefined;
  const encryption = proposal.encryption.filter(({ row }) => !row.aead && has(row));
  const keyExchange = proposal.keyExchange.filter(has);
  const integrity = proposal.integrity.filter(({ ownPrf }) => has(ownPrf));
  if (encryption.length === 0 || keyExchange.length === 0 || integrity.length === 0) return undefined;
  // One hash is both there.
  return { ...proposal, encryption, keyExchange, integrity, prf: [...new Set(integrity.map(({ ownPrf }) => ownPrf))] };
}

function phase2Of(proposal: EspProposal): EspProposal | undefined {
  const has = (row: Parameters<typeof numberOf>[1]) => numberOf(DEFAULT_NUMBERING, row, "phase2") !== undefined;
  const encryption = proposal.encryption.filter(({ row }) => has(row));
  const integrity = proposal.integrity.filter(has);
  const keyExchange = proposal.keyExchange.filter(has);
  const lost =
    encryption.length === 0 ||
    (integrity.length === 0 && proposal.integrity.length > 0) ||
    (keyExchange.length === 0 && proposal.keyExchange.length > 0);
  return lost ? undefined : { ...proposal, encryption, integrity, keyExchange };
}

/** The proposals that can go with the first group of the first one; the same list where nothing had to go. */
function ofOneGroup<P extends IkeProposal | EspProposal>(proposals: readonly P[]): readonly P[] {
  const first: KeyExchangeRow | undefined = proposals[0]?.keyExchange[0];
  const fits = ({ keyExchange }: P) => (first === undefined ? keyExchange.length === 0 : keyExchange.includes(first));
  const single = ({ keyExchange }: P) => keyExchange.length <= 1;
  if (proposals.every((each) => fits(each) && single(each))) return proposals;
  return proposals.filter(fits).map((each) => ({ ...each, keyExchange: first === undefined ? [] : [first] }));
}

function groupWords(proposals: readonly (IkeProposal | EspProposal)[]): string {
  const row = proposals[0]?.keyExchange[0];
  return row === undefined ? "no PFS" : keywordOf(row);
}
