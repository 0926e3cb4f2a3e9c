/**
 * What a peer accepts for child SAs, once it knows who we are: proposals are offered, what it takes is struck, and the rest offered again, so that each
 * find costs one exchange, and each type one more. Generators, as in `questions.ts`; whoever asks makes the child, and deletes it at once.
 *
 * A quick mode has one group for the whole offer (RFC 2409 section 5.5), so in IKEv1 each group is a question of its own.
 */
import { keywordOf } from "../../crypto/registry/lookup.js";
import type { IntegrityRow, KeyExchangeRow, SequenceRow } from "../../crypto/registry/row.js";
import type { EncryptionChoice, EspProposal, EspSuite } from "../../crypto/registry/suite.js";

/** What may be offered, the best first. */
export interface ChildCatalogue {
  readonly encryption: readonly EncryptionChoice[];
  readonly integrity: readonly IntegrityRow[];
  /** Undefined: without PFS. */
  readonly groups: readonly (KeyExchangeRow | undefined)[];
  readonly sequence: readonly SequenceRow[];
}

/** What the peer accepts of it, in our order. */
export interface AcceptedChild extends ChildCatalogue {
  /** One combination that was seen to be accepted as a whole, with PFS where the peer takes a group. */
  readonly works: EspSuite;
}

/** Yields an offer; the verdict is what the peer took of it. */
type Ask<Result> = Generator<readonly EspProposal[], Result, EspSuite | undefined>;

/** Undefined: nothing of the catalogue is accepted. */
export function* askChild(version: 1 | 2, catalogue: ChildCatalogue): Ask<AcceptedChild | undefined> {
  const found = {
    encryption: new Set<EncryptionChoice>(),
    integrity: new Set<IntegrityRow>(),
    groups: new Set<KeyExchangeRow | undefined>(),
    sequence: new Set<SequenceRow>(),
  };
  const { sequence, groups } = catalogue;
  if (version === 2) yield* strike(catalogue);
  else {
    // There a transform is one combination of all: in parts, and without ESN, which is asked for at the end, an offer fits into one packet.
    const plain = sequence.filter(({ extended }) => !extended);
    for (const group of groups)
      for (const encryption of partsOf(catalogue))
        yield* strike({ ...catalogue, encryption, groups: [group], sequence: plain });
    for (const group of found.groups) yield* rest({ ...pick(catalogue), sequence, groups: [group] }, "sequence");
  }
  const known = pick(catalogue);
  if (known.encryption.length === 0) return undefined;
  return { ...known, works: yield* oneThatWorks(known) };

  /** Finds everything new in an offer of which anything is accepted. */
  function* strike(all: ChildCatalogue): Ask<void> {
    if ((yield* ask(all)) === "refused") return;
    yield* rest(all, "encryption");
    yield* rest({ ...all, encryption: all.encryption.filter(({ row }) => !row.aead) }, "integrity");
    yield* rest(all, "groups");
    yield* rest(all, "sequence");
  }

  function* rest(all: ChildCatalogue, type: keyof ChildCatalogue): Ask<void> {
    for (let more = true; more; ) {
      const seen: ReadonlySet<unknown> = found[type];
      const left = (all[type] as readonly unknown[]).filter((item) => !seen.has(item));
      more = left.length > 0 && (yield* ask({ ...all, [type]: left })) === "new";
    }
  }

  /** "known": also from a peer that answers with what was not offered, and would do so for ever. */
  function* ask(offered: ChildCatalogue): Ask<"refused" | "known" | "new"> {
    const suite = yield* chosen(offered);
    if (suite === undefined) return "refused";
    const { encryption, keyBits, integrity, keyExchange, sequence } = suite;
    const before = sizes();
    for (const choice of catalogue.encryption)
      if (choice.row === encryption && choice.keyBits === keyBits) found.encryption.add(choice);
    if (integrity !== undefined) found.integrity.add(integrity);
    found.groups.add(keyExchange);
    found.sequence.add(sequence);
    return sizes() > before ? "new" : "known";
  }

  function sizes(): number {
    return found.encryption.size + found.integrity.size + found.groups.size + found.sequence.size;
  }

  function pick({ encryption, integrity, groups, sequence }: ChildCatalogue): ChildCatalogue {
    return {
      encryption: encryption.filter((choice) => found.encryption.has(choice)),
      integrity: integrity.filter((row) => found.integrity.has(row)),
      groups: groups.filter((group) => found.groups.has(group)),
      sequence: sequence.filter((row) => found.sequence.has(row)),
    };
  }
}

/** Transforms of IKEv1 that one packet holds, at some forty octets each. */
const MOST_TRANSFORMS = 28;

/** Ciphers whose combinations with all of the integrity fit into one packet. */
function partsOf({ encryption, integrity }: ChildCatalogue): readonly (readonly EncryptionChoice[])[] {
  const parts: EncryptionChoice[][] = [];
  let room = 0;
  for (const choice of encryption) {
    const size = choice.row.aead ? 1 : Math.max(1, integrity.length);
    if (room < size) {
      parts.push([]);
      room = MOST_TRANSFORMS;
    }
    parts.at(-1)!.push(choice);
    room -= size;
  }
  return parts;
}

/** The best cipher with whatever the peer takes beside it; PFS first, and in IKEv1 its groups one by one. */
function* oneThatWorks(known: ChildCatalogue): Ask<EspSuite> {
  const groups = [...known.groups].sort((a, b) => Number(a === undefined) - Number(b === undefined));
  for (const choice of known.encryption)
    for (const group of groups) {
      const suite = yield* chosen({ ...known, encryption: [choice], groups: [group] });
      if (suite !== undefined) return suite;
    }
  throw new Error("the peer does not accept any more what it has accepted before");
}

function* chosen(offered: ChildCatalogue): Ask<EspSuite | undefined> {
  const proposals = offerOf(offered);
  return proposals.length === 0 ? undefined : yield proposals;
}

/** AEADs and other ciphers stand in proposals of their own (RFC 7296 section 3.3), and so do those with and without a group. */
function offerOf({ encryption, integrity, groups, sequence }: ChildCatalogue): readonly EspProposal[] {
  if (sequence.length === 0) return [];
  const rows = groups.filter((group) => group !== undefined);
  const keyExchanges = [...(rows.length > 0 ? [rows] : []), ...(rows.length < groups.length ? [[]] : [])];
  return keyExchanges.flatMap((keyExchange) =>
    [
      ...proposalOf(
        encryption.filter(({ row }) => row.aead),
        [],
      ),
      ...(integrity.length > 0
        ? proposalOf(
            encryption.filter(({ row }) => !row.aead),
            integrity,
          )
        : []),
    ].map((part) => ({ ...part, keyExchange, sequence })),
  );
}

function proposalOf(
  encryption: readonly EncryptionChoice[],
  integrity: readonly IntegrityRow[],
): readonly Pick<EspProposal, "encryption" | "integrity">[] {
  return encryption.length === 0 ? [] : [{ encryption, integrity }];
}

/** The keywords of everything that was found; "off": without PFS. */
export function acceptedChildWords({ encryption, integrity, groups, sequence }: ChildCatalogue): {
  readonly encryption: readonly string[];
  readonly integrity: readonly string[];
  readonly pfs: readonly string[];
  readonly sequence: readonly string[];
} {
  return {
    encryption: encryption.map(({ row, keyBits }) => keywordOf(row, keyBits)),
    integrity: integrity.map((row) => keywordOf(row)),
    pfs: groups.map((row) => (row === undefined ? "off" : keywordOf(row))),
    sequence: sequence.map((row) => keywordOf(row)),
  };
}
