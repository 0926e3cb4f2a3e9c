/**
 * One transform of the peer against one proposal of ours, attribute by attribute (RFC 2408 section 4.2). In IKEv1 a transform is a
 * whole suite: it is taken or left.
 */
import { DEFAULT_NUMBERING, numberOf } from "../../crypto/registry/numbering.js";
import type { IntegrityRow, KeyExchangeRow, PrfRow, SequenceRow } from "../../crypto/registry/row.js";
import type { EncryptionChoice, EspProposal, EspSuite, IkeProposal, IkeSuite } from "../../crypto/registry/suite.js";
import { type Attribute, bounded, type Compared } from "../core/evidence.js";
import type { TransformV1 } from "../wire/payloads/v1/sa.js";
import {
  type EncapsulationMode,
  KEY_IKE,
  numberAttribute,
  PHASE1_ATTRIBUTE,
  PHASE2_ATTRIBUTE,
} from "../wire/v1-attributes.js";
import {
  type AttributeName,
  absentWant,
  authMethodWant,
  encapsulationWant,
  encryptionWant,
  type Option,
  rowWant,
  sequenceWant,
  type View,
  viewOf,
  type Want,
} from "./attribute-wants.js";
import type { Phase } from "./lifetimes.js";

/** An attribute in which a transform of theirs fits none of ours. */
export interface Disagreement {
  readonly attribute: AttributeName;
  readonly theirs: string;
  readonly ours: readonly string[];
}

/** What a proposal of ours asks, and what the picked options make together. */
export interface Wants<Suite> {
  readonly phase: Phase;
  readonly wants: readonly Want<unknown>[];
  suite(picked: readonly Option<unknown>[]): Suite;
  /** Of phase 2: the transform identifier, which is the encryption's number. */
  transformId(picked: readonly Option<unknown>[]): number;
}

export type Match<Suite> =
  /** `rank`: the place of each pick in our order; the lower one is preferred. */
  | { readonly kind: "picked"; readonly suite: Suite; readonly rank: readonly number[] }
  | { readonly kind: "mismatch"; readonly disagreements: readonly Disagreement[] };

/** Phase 1 with a pre-shared key. `group` restricts to one: in aggressive mode the KE payload is sent with the offer. */
export function phase1Wants(proposal: IkeProposal, group?: KeyExchangeRow): Wants<IkeSuite> {
  const { encryption, integrity, prf, keyExchange, numbering = DEFAULT_NUMBERING } = proposal;
  const { encryption: cipher, keyLength, hash, group: groupClass, authMethod } = PHASE1_ATTRIBUTE;
  const groups = group === undefined ? keyExchange : keyExchange.filter((row) => row === group);
  const wants = {
    encryption: encryptionWant(
      numbering,
      "phase1",
      encryption,
      keyLength,
      (view) => view.number(cipher),
      (id) => [numberAttribute(cipher, id)],
    ),
    hash: rowWant("hash", numbering, "phase1", hash, prf),
    method: authMethodWant(authMethod),
    group: rowWant("group", numbering, "phase1", groupClass, groups),
  };
  return {
    phase: 1,
    wants: [wants.encryption, wants.hash, wants.method, wants.group],
    suite(picked) {
      const [choice, prfRow, , groupRow] = picked.map(({ part }) => part) as [
        EncryptionChoice,
        PrfRow,
        null,
        KeyExchangeRow,
      ];
      // Phase 1 has no integrity algorithm: the MAC of the same hash is what proposals and status name it by.
      const named = integrity.find(({ ownPrf }) => ownPrf.name === prfRow.name);
      return {
        encryption: choice.row,
        keyBits: choice.keyBits,
        ...(named && { integrity: named }),
        prf: prfRow,
        keyExchange: groupRow,
      };
    },
    transformId: () => KEY_IKE,
  };
}

/** What a quick mode offers or accepts besides the algorithms. */
export interface QuickModeTerms {
  /** Of the KE payload that goes with the offer; "any" for a responder, who reads it from the transform; undefined: without PFS. */
  readonly group: KeyExchangeRow | undefined | "any";
  /** In our order; a responder may accept several. */
  readonly encapsulation: readonly EncapsulationMode[];
}

/** A suite of phase 2, where encapsulation is negotiated as well. */
export interface QuickModeSuite extends EspSuite {
  readonly encapsulation: EncapsulationMode;
}

export function phase2Wants(proposal: EspProposal, { group, encapsulation }: QuickModeTerms): Wants<QuickModeSuite> {
  const { encryption, integrity, keyExchange, sequence, numbering = DEFAULT_NUMBERING } = proposal;
  const { keyLength, authentication, group: groupClass } = PHASE2_ATTRIBUTE;
  const groups = group === "any" ? keyExchange : keyExchange.filter((row) => row === group);
  const withoutPfs = keyExchange.length === 0 && (group === "any" || group === undefined);
  const aead = encryption.every(({ row }) => row.icvBytes > 0);
  const cipher = encryptionWant(
    numbering,
    "phase2",
    encryption,
    keyLength,
    (view) => view.id,
    () => [],
  );
  const mac = aead ? absentWant("authentication algorithm", authentication, numbering, "integrity") : undefined;
  const pfs = withoutPfs ? absentWant("PFS group", groupClass, numbering, "keyExchange") : undefined;
  return {
    phase: 2,
    wants: [
      cipher,
      mac ?? rowWant("authentication algorithm", numbering, "phase2", authentication, integrity),
      pfs ?? rowWant("PFS group", numbering, "phase2", groupClass, groups),
      encapsulationWant(encapsulation),
      sequenceWant(sequence),
    ],
    suite(picked) {
      const [choice, macRow, groupRow, mode, sequenceRow] = picked.map(({ part }) => part) as [
        EncryptionChoice,
        IntegrityRow | undefined,
        KeyExchangeRow | undefined,
        EncapsulationMode,
        SequenceRow,
      ];
      return {
        encryption: choice.row,
        keyBits: choice.keyBits,
        ...(macRow && { integrity: macRow }),
        ...(groupRow && { keyExchange: groupRow }),
        sequence: sequenceRow,
        encapsulation: mode,
      };
    },
    transformId: (picked) => numberOf(numbering, (picked[0]!.part as EncryptionChoice).row, "phase2")!,
  };
}

/** A transform as it is compared with several proposals of one phase. */
export interface Candidate {
  readonly view: View;
  readonly strange: readonly string[];
}

export function candidate(transform: TransformV1, phase: Phase): Candidate {
  return { view: viewOf(transform), strange: strangeAttributes(transform, phase) };
}

/** The first of our options in every attribute, or what does not fit: all of it, without `explain` nothing but that it is so. */
export function matchV1<Suite>(
  { view, strange }: Candidate,
  { wants, suite }: Wants<Suite>,
  explain: boolean,
): Match<Suite> {
  const picked: Option<unknown>[] = [];
  const rank: number[] = [];
  const disagreements: Disagreement[] = [];
  for (const { attribute, options, theirs } of wants) {
    const index = options.findIndex((option) => option.fits(view));
    if (index >= 0) {
      picked.push(options[index]!);
      rank.push(index);
    } else if (!explain) return { kind: "mismatch", disagreements: [] };
    else disagreements.push({ attribute, theirs: theirs(view), ours: options.map(({ words }) => words) });
  }
  if (strange.length > 0) disagreements.push({ attribute: "other", theirs: strange.join(" "), ours: [] });
  if (disagreements.length > 0) return { kind: "mismatch", disagreements };
  return { kind: "picked", suite: suite(picked), rank };
}

/** Every attribute of the peer's transform beside ours, for those who want to see what differs; as `matchV1` sees it. */
export function compareTransform<Suite>({ view, strange }: Candidate, { wants }: Wants<Suite>): readonly Compared[] {
  const rows: Compared[] = wants.map(({ attribute, options, theirs }) => {
    const said = theirs(view);
    return {
      attribute: ATTRIBUTE_OF[attribute],
      verdict: options.some((option) => option.fits(view)) ? "equal" : "different",
      ours: bounded(options.map(({ words }) => words).filter(isSomething)),
      theirs: isSomething(said) ? [said] : [],
    };
  });
  if (strange.length > 0) rows.push({ attribute: "other", verdict: "different", ours: [], theirs: bounded(strange) });
  return rows;
}

function isSomething(words: string): boolean {
  return words !== "none";
}

const ATTRIBUTE_OF = {
  encryption: "encryption",
  hash: "hash",
  "authentication method": "authentication",
  group: "group",
  "authentication algorithm": "integrity",
  "PFS group": "pfs",
  "encapsulation mode": "encapsulation",
  "sequence numbers": "esn",
  other: "other",
} as const satisfies Record<AttributeName, Attribute>;

/** A proposal of ours multiplied out, in our order, without lifetimes: identifier and attributes of each transform. */
export function transformsOf<Suite>({ wants, transformId }: Wants<Suite>): readonly Omit<TransformV1, "number">[] {
  let combinations: (readonly Option<unknown>[])[] = [[]];
  for (const { options } of wants)
    combinations = combinations.flatMap((before) => options.map((option) => [...before, option]));
  return combinations.map((picked) => ({
    id: transformId(picked),
    attributes: picked.flatMap(({ attributes }) => attributes),
  }));
}

/** Attributes that we do not understand, and those that stand there twice: such a transform is not acceptable. */
function strangeAttributes({ attributes }: TransformV1, phase: Phase): readonly string[] {
  const known = UNDERSTOOD[phase];
  return attributes.flatMap(({ type }, i) => {
    if (!known.once.includes(type)) return known.repeated.includes(type) ? [] : [`attribute ${type}`];
    return attributes.some((other, k) => k < i && other.type === type) ? [`attribute ${type} twice`] : [];
  });
}

const UNDERSTOOD = {
  1: {
    once: [
      PHASE1_ATTRIBUTE.encryption,
      PHASE1_ATTRIBUTE.hash,
      PHASE1_ATTRIBUTE.authMethod,
      PHASE1_ATTRIBUTE.group,
      PHASE1_ATTRIBUTE.keyLength,
    ] as readonly number[],
    repeated: [PHASE1_ATTRIBUTE.lifeType, PHASE1_ATTRIBUTE.lifeDuration] as readonly number[],
  },
  2: {
    once: [
      PHASE2_ATTRIBUTE.group,
      PHASE2_ATTRIBUTE.encapsulation,
      PHASE2_ATTRIBUTE.authentication,
      PHASE2_ATTRIBUTE.keyLength,
      PHASE2_ATTRIBUTE.sequence,
    ] as readonly number[],
    repeated: [PHASE2_ATTRIBUTE.lifeType, PHASE2_ATTRIBUTE.lifeDuration] as readonly number[],
  },
} as const;
