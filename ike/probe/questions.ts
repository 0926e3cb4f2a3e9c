/**
 * What a peer accepts, learnt by offering: the questions are generators, which yield an offer and get the verdict on it. They know no socket and no
 * clock; whoever asks for them sends, repeats and paces.
 *
 * In IKEv2 every offer has a group that nobody has, and the KE payload is of that group. A peer that accepts the rest asks for another
 * group (INVALID_KE_PAYLOAD, RFC 7296 section 1.2) and keeps nothing; one that does not, refuses. So nothing is ever half-open there.
 * In IKEv1 a peer that accepts answers with its choice, and waits for the next message: such answers are counted, and as few as can be.
 */
import { keywordOf } from "../../crypto/registry/lookup.js";
import type { IntegrityRow, KeyExchangeRow, PrfRow } from "../../crypto/registry/row.js";
import type { EncryptionChoice, IkeProposal } from "../../crypto/registry/suite.js";
import { offerIke } from "../core/negotiate.js";
import { choosePhase1, offerPhase1 } from "../v1/proposals.js";
import { type SaPayload, TRANSFORM_TYPE } from "../wire/payloads/sa.js";
import type { SaPayloadV1 } from "../wire/payloads/v1/sa.js";

/** What may be offered, the best first. */
export interface Catalogue {
  readonly encryption: readonly EncryptionChoice[];
  readonly integrity: readonly IntegrityRow[];
  readonly prf: readonly PrfRow[];
  readonly groups: readonly KeyExchangeRow[];
}

/** What the peer accepts of it, in our order. */
export interface Accepted extends Catalogue {
  /** One combination that was seen to be accepted as a whole. */
  readonly works: IkeProposal;
}

/** The verdict on an offer of IKEv2. `group`: what the peer would take, where it takes the rest. */
export type VerdictV2 = { readonly accepted: true; readonly group: number } | { readonly accepted: false };
/** On one of IKEv1: the peer's answer. */
export type VerdictV1 = { readonly accepted: true; readonly sa: SaPayloadV1 } | { readonly accepted: false };

type AskV2<Result> = Generator<SaPayload, Result, VerdictV2>;
type AskV1<Result> = Generator<SaPayloadV1, Result, VerdictV1>;

/**
 * The group that nobody has: the 192-bit random ECP group of RFC 5114. A number for private use would do as well, were there not libreswan, to which a
 * message with a group that it cannot name is malformed.
 */
export const NOBODYS_GROUP = 25;

/** Undefined: nothing of the catalogue is accepted. */
export function* askV2(catalogue: Catalogue): AskV2<Accepted | undefined> {
  if (!(yield offerV2(catalogue)).accepted) return undefined;
  const encryption = yield* accepted(catalogue.encryption, (some) => offerV2({ ...catalogue, encryption: some }));
  const known = { ...catalogue, encryption };
  const prf = yield* accepted(catalogue.prf, (some) => offerV2({ ...known, prf: some }));
  const plain = encryption.filter(({ row }) => !row.aead);
  const integrity =
    plain.length === 0
      ? []
      : yield* accepted(catalogue.integrity, (some) => offerV2({ ...known, encryption: plain, integrity: some }));
  const groups = yield* groupsOf({ ...known, prf, integrity });
  const all = { encryption, prf, integrity, groups };
  return { ...all, works: yield* oneThatWorks(all) };
}

/** Halves what is refused as little as what is accepted as a whole: a refusal rules out everything in it at once. */
function* accepted<Item>(items: readonly Item[], offer: (some: readonly Item[]) => SaPayload): AskV2<readonly Item[]> {
  if (items.length === 0 || !(yield offer(items)).accepted) return [];
  if (items.length === 1) return items;
  const middle = items.length >> 1;
  return [...(yield* accepted(items.slice(0, middle), offer)), ...(yield* accepted(items.slice(middle), offer))];
}

/** The peer names one group after the other, until none is left that it takes. */
function* groupsOf(catalogue: Catalogue): AskV2<readonly KeyExchangeRow[]> {
  const found: KeyExchangeRow[] = [];
  for (let left = catalogue.groups; left.length > 0; ) {
    const verdict = yield offerV2({ ...catalogue, groups: left });
    if (!verdict.accepted) break;
    const named = left.find(({ ids }) => ids.ikev2 === verdict.group);
    // A group that was not offered: a peer that does not read offers, and would name it for ever.
    if (named === undefined) break;
    found.push(named);
    left = left.filter((row) => row !== named);
  }
  return catalogue.groups.filter((row) => found.includes(row));
}

/** The best of each type that goes with the best of those before it. */
function* oneThatWorks(all: Catalogue): AskV2<IkeProposal> {
  const first = all.encryption.slice(0, 1);
  const integrity = first[0]?.row.aead
    ? []
    : yield* best(all.integrity, (some) => offerV2({ ...all, encryption: first, integrity: some }));
  const prf = yield* best(all.prf, (some) =>
    offerV2({ ...all, encryption: first, ...(integrity.length > 0 && { integrity }), prf: some }),
  );
  const chosen = { ...all, encryption: first, prf, integrity };
  const groups = yield* best(all.groups, (some) => offerV2({ ...chosen, groups: some }));
  return { encryption: first, integrity, prf, keyExchange: groups };
}

/** The first that is accepted; with only one left there is nothing to ask. */
function* best<Item>(items: readonly Item[], offer: (some: readonly Item[]) => SaPayload): AskV2<readonly Item[]> {
  for (const item of items.length > 1 ? items : []) if ((yield offer([item])).accepted) return [item];
  return items.slice(0, 1);
}

/** AEADs and other ciphers stand in proposals of their own (RFC 7296 section 3.3). */
function offerV2({ encryption, integrity, prf, groups }: Catalogue): SaPayload {
  const aead = encryption.filter(({ row }) => row.aead);
  const plain = encryption.filter(({ row }) => !row.aead);
  const proposals: IkeProposal[] = [];
  if (aead.length > 0) proposals.push({ encryption: aead, integrity: [], prf, keyExchange: groups });
  if (plain.length > 0 && integrity.length > 0)
    proposals.push({ encryption: plain, integrity, prf, keyExchange: groups });
  return {
    proposals: offerIke(proposals).proposals.map((proposal) => ({
      ...proposal,
      transforms: [...proposal.transforms, { type: TRANSFORM_TYPE.keyExchange, id: NOBODYS_GROUP, attributes: [] }],
    })),
  };
}

/**
 * IKEv1, phase 1 with a pre-shared key; hashes are the PRFs of the catalogue. One question per group, then what is struck from the first
 * group that is accepted, then whether the other groups take something else. Undefined: nothing is accepted.
 */
export function* askV1({ encryption, integrity, prf, groups }: Catalogue): AskV1<Accepted | undefined> {
  const found = { encryption: new Set<EncryptionChoice>(), prf: new Set<PrfRow>(), groups: [] as KeyExchangeRow[] };
  let works: IkeProposal | undefined;
  for (const group of groups) {
    // Of a further group only what is not known yet: what is known is accepted with it as well, or it would be another proposal.
    const everything = { encryption, prf, group };
    const first = yield* chosen(everything);
    if (first === undefined) continue;
    found.groups.push(group);
    works ??= { encryption: [first.choice], integrity: hashesOf([first.prf]), prf: [first.prf], keyExchange: [group] };
    note(first);
    yield* strike(group);
  }
  if (works === undefined) return undefined;
  const hashes = prf.filter((row) => found.prf.has(row));
  return {
    encryption: encryption.filter((choice) => found.encryption.has(choice)),
    integrity: hashesOf(hashes),
    prf: hashes,
    groups: found.groups,
    works,
  };

  function hashesOf(rows: readonly PrfRow[]): readonly IntegrityRow[] {
    return integrity.filter(({ ownPrf }) => rows.includes(ownPrf));
  }

  function note(taken: Taken): void {
    found.encryption.add(taken.choice);
    found.prf.add(taken.prf);
  }

  function* strike(group: KeyExchangeRow): AskV1<void> {
    for (;;) {
      const left = encryption.filter((choice) => !found.encryption.has(choice));
      const taken = left.length === 0 ? undefined : yield* chosen({ encryption: left, prf, group });
      if (taken === undefined) break;
      note(taken);
    }
    for (;;) {
      const left = prf.filter((row) => !found.prf.has(row));
      const taken = left.length === 0 ? undefined : yield* chosen({ encryption, prf: left, group });
      if (taken === undefined) break;
      note(taken);
    }
  }
}

interface Taken {
  readonly choice: EncryptionChoice;
  readonly prf: PrfRow;
}

const PROBE_LIFETIMES = { seconds: 86_400, kilobytes: 0 };

/** What the peer takes of these; undefined: nothing, or it answers with what was not offered. */
function* chosen(offered: {
  readonly encryption: readonly EncryptionChoice[];
  readonly prf: readonly PrfRow[];
  readonly group: KeyExchangeRow;
}): AskV1<Taken | undefined> {
  const { encryption, prf, group } = offered;
  const proposal: IkeProposal = { encryption, integrity: [], prf, keyExchange: [group] };
  const verdict = yield offerPhase1([proposal], PROBE_LIFETIMES);
  if (!verdict.accepted) return undefined;
  const answer = choosePhase1(verdict.sa, [proposal]);
  if (answer.kind !== "chosen") return undefined;
  const { suite } = answer;
  const choice = encryption.find(({ row, keyBits }) => row === suite.encryption && keyBits === suite.keyBits);
  const row = prf.find((one) => one === suite.prf);
  return choice && row ? { choice, prf: row } : undefined;
}

/** The keywords of everything that was found. */
export function acceptedWords({ encryption, integrity, prf, groups }: Catalogue): {
  readonly encryption: readonly string[];
  readonly integrity: readonly string[];
  readonly prf: readonly string[];
  readonly groups: readonly string[];
} {
  return {
    encryption: encryption.map(({ row, keyBits }) => keywordOf(row, keyBits)),
    integrity: integrity.map((row) => keywordOf(row)),
    prf: prf.map((row) => keywordOf(row)),
    groups: groups.map((row) => keywordOf(row)),
  };
}
