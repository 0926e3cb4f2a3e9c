/**
 * Proposals of both phases, RFC 2409 sections 5 and 5.5, RFC 2408 section 4.2: our proposals as an SA payload, the choice from the
 * peer's, the check of its answer. Whoever chooses goes by our order; the answer repeats the chosen transform as it came.
 */
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import type { EspProposal, IkeProposal, IkeSuite } from "../../crypto/registry/suite.js";
import { type Grounds, ProtocolError } from "../core/errors.js";
import { type ComparedOffer, closestOf, MOST_COMPARED } from "../core/evidence.js";
import type { ProposalV1, SaPayloadV1, TransformV1 } from "../wire/payloads/v1/sa.js";
import type { ProtocolNameV1 } from "../wire/protocols.js";
import { DEFAULT_SA_LIFE_SECONDS, type EncapsulationMode, KEY_IKE } from "../wire/v1-attributes.js";
import { type Lifetimes, lifetimeAttributes, lifetimesOf, type Phase } from "./lifetimes.js";
import {
  candidate,
  compareTransform,
  type Disagreement,
  matchV1,
  phase1Wants,
  phase2Wants,
  type QuickModeSuite,
  type QuickModeTerms,
  transformsOf,
  type Wants,
} from "./proposal-match.js";

/** The peer's transform that we take. */
export interface ChosenV1<Suite> {
  readonly kind: "chosen";
  readonly suite: Suite;
  /** As the peer says them; `shorter` with ours counts. */
  readonly lifetimes: Lifetimes;
  /** Phase 2: the peer's SPI, 4 octets. Empty in phase 1. */
  readonly peerSpi: Uint8Array;
  /** The answer's SA payload; `ourSpi` is empty in phase 1. */
  answer(ourSpi: Uint8Array): SaPayloadV1;
}

/** No transform fits: for each of theirs how it fails against the closest of our proposals. */
export interface NotChosenV1 {
  readonly kind: "mismatch";
  /** The first ones; strangers send long lists as often as they like. */
  readonly mismatches: readonly TransformMismatch[];
  /** How many transforms there were besides. */
  readonly more: number;
}

export interface TransformMismatch {
  /** The peer's Proposal # and Transform #. */
  readonly proposal: number;
  readonly transform: number;
  /** Another protocol, or several together: the attributes were not looked at. */
  readonly wrongKind?: string;
  readonly disagreements: readonly Disagreement[];
}

/** Our offer for phase 1: one proposal (RFC 2409 section 5), a transform per suite. `group`: the only one, for aggressive mode. */
export function offerPhase1(ours: readonly IkeProposal[], lifetimes: Lifetimes, group?: KeyExchangeRow): SaPayloadV1 {
  return offer(
    NO_SPI,
    1,
    lifetimes,
    ours.map((proposal) => phase1Wants(proposal, group)),
  );
}

/** What a quick mode of ours offers. */
export interface QuickModeOffer {
  readonly spi: Uint8Array;
  /** One group for the whole offer (RFC 2409 section 5.5): that of the KE payload. Undefined: without PFS. */
  readonly group: KeyExchangeRow | undefined;
  readonly encapsulation: EncapsulationMode;
  readonly lifetimes: Lifetimes;
}

/** Our offer for phase 2: those of our proposals that have this group. */
export function offerPhase2(
  ours: readonly EspProposal[],
  { spi, group, encapsulation, lifetimes }: QuickModeOffer,
): SaPayloadV1 {
  const terms = { group, encapsulation: [encapsulation] };
  return offer(
    spi,
    2,
    lifetimes,
    ours.map((proposal) => phase2Wants(proposal, terms)),
  );
}

/** The groups of proposals in our order, each once; `undefined` where one goes without. A quick mode, and an aggressive mode, takes one. */
export function groupsOf(ours: readonly (IkeProposal | EspProposal)[]): readonly (KeyExchangeRow | undefined)[] {
  const groups = ours.flatMap(({ keyExchange }): readonly (KeyExchangeRow | undefined)[] =>
    keyExchange.length === 0 ? [undefined] : keyExchange,
  );
  return [...new Set(groups)];
}

/** Responder, phase 1. */
export function choosePhase1(peer: SaPayloadV1, ours: readonly IkeProposal[]): ChosenV1<IkeSuite> | NotChosenV1 {
  return choose(
    peer,
    1,
    ours.map((proposal) => phase1Wants(proposal)),
  );
}

/** Responder, phase 2. `encapsulation`: what we accept, in our order. */
export function choosePhase2(
  peer: SaPayloadV1,
  ours: readonly EspProposal[],
  encapsulation: readonly EncapsulationMode[],
): ChosenV1<QuickModeSuite> | NotChosenV1 {
  const terms: QuickModeTerms = { group: "any", encapsulation };
  return choose(
    peer,
    2,
    ours.map((proposal) => phase2Wants(proposal, terms)),
  );
}

/** Initiator: what the answer chose of our offer. Throws `ProtocolError` NO_PROPOSAL_CHOSEN when it is not of our offer. */
export function chosenPhase1(
  answer: SaPayloadV1,
  ours: readonly IkeProposal[],
  group?: KeyExchangeRow,
): ChosenV1<IkeSuite> {
  return chosenFrom(
    answer,
    1,
    ours.map((proposal) => phase1Wants(proposal, group)),
  );
}

/** As `chosenPhase1`, with the terms of our offer. */
export function chosenPhase2(
  answer: SaPayloadV1,
  ours: readonly EspProposal[],
  { group, encapsulation }: Pick<QuickModeOffer, "group" | "encapsulation">,
): ChosenV1<QuickModeSuite> {
  return chosenFrom(
    answer,
    2,
    ours.map((proposal) => phase2Wants(proposal, { group, encapsulation: [encapsulation] })),
  );
}

/** The peer's transforms of phase 1 beside the closest of our proposals each. */
export function comparePhase1(peer: SaPayloadV1, ours: readonly IkeProposal[]): ComparedOffer {
  return compare(
    peer,
    1,
    ours.map((proposal) => phase1Wants(proposal)),
  );
}

/** Likewise of phase 2. */
export function comparePhase2(
  peer: SaPayloadV1,
  ours: readonly EspProposal[],
  encapsulation: readonly EncapsulationMode[],
): ComparedOffer {
  return compare(
    peer,
    2,
    ours.map((proposal) => phase2Wants(proposal, { group: "any", encapsulation })),
  );
}

function compare<Suite>(peer: SaPayloadV1, phase: Phase, ours: readonly Wants<Suite>[]): ComparedOffer {
  const protocol = PROTOCOLS[phase];
  const all = peer.proposals.flatMap((proposal) => proposal.transforms.map((transform) => ({ proposal, transform })));
  const proposals = all.slice(0, MOST_COMPARED).map(({ proposal, transform }) => {
    const number = `${proposal.number}.${transform.number}`;
    if (proposal.protocol !== protocol) {
      const theirs = [String(proposal.protocol)];
      return { number, rows: [{ attribute: "protocol", verdict: "different", ours: [protocol], theirs }] } as const;
    }
    const theirs = candidate(transform, phase);
    return { number, rows: closestOf(ours.map((wants) => compareTransform(theirs, wants))) };
  });
  return { proposals, more: all.length - proposals.length };
}

/** NO_PROPOSAL_CHOSEN with both sides' values in words. */
export function noProposalChosenV1({ mismatches, more }: NotChosenV1, grounds?: Grounds): ProtocolError {
  const words = mismatches.map(mismatchWords);
  const detail = [...words, ...(more > 0 ? [`${more} more`] : [])].join("; ");
  return new ProtocolError("NO_PROPOSAL_CHOSEN", detail, undefined, grounds);
}

/** Transforms whose mismatch is explained. */
const MOST_EXPLAINED = 8;
/** What the octet "# of Transforms" can count. */
const MOST_TRANSFORMS = 255;
const PROTOCOLS = { 1: "ISAKMP", 2: "ESP" } as const satisfies Record<Phase, ProtocolNameV1>;
const NO_SPI = new Uint8Array(0);

function offer<Suite>(spi: Uint8Array, phase: Phase, lifetimes: Lifetimes, ours: readonly Wants<Suite>[]): SaPayloadV1 {
  const life = lifetimeAttributes(phase, lifetimes);
  const distinct = new Map<string, Omit<TransformV1, "number">>();
  for (const { id, attributes } of ours.flatMap(transformsOf)) {
    const key = `${id} ${attributes.map(({ type, value }) => `${type}=${value}`).join(" ")}`;
    if (!distinct.has(key)) distinct.set(key, { id, attributes: [...attributes, ...life] });
  }
  if (distinct.size === 0) throw new RangeError(`no algorithm of these proposals has IKEv1 numbers for phase ${phase}`);
  const transforms = [...distinct.values()].slice(0, MOST_TRANSFORMS);
  return {
    proposals: [
      {
        number: 1,
        protocol: PROTOCOLS[phase],
        spi,
        transforms: transforms.map((transform, i) => ({ number: i + 1, ...transform })),
      },
    ],
  };
}

function choose<Suite>(peer: SaPayloadV1, phase: Phase, ours: readonly Wants<Suite>[]): ChosenV1<Suite> | NotChosenV1 {
  const protocol = PROTOCOLS[phase];
  const mismatches: TransformMismatch[] = [];
  let best: { readonly rank: readonly number[]; readonly chosen: ChosenV1<Suite> } | undefined;
  let seen = 0;
  for (const proposal of peer.proposals) {
    const wrongKind = kindProblem(peer, proposal, protocol);
    for (const transform of proposal.transforms) {
      const explain = best === undefined && mismatches.length < MOST_EXPLAINED;
      const wrong = wrongKind ?? idProblem(protocol, transform);
      let closest: readonly Disagreement[] | undefined;
      const theirs = candidate(transform, phase);
      const worthwhile: readonly Wants<Suite>[] =
        wrong === undefined ? ours.slice(0, (best?.rank[0] ?? ours.length) + 1) : [];
      for (const [index, wants] of worthwhile.entries()) {
        const result = matchV1(theirs, wants, explain);
        if (result.kind === "picked") {
          const rank = [index, ...result.rank];
          if (best === undefined || isLower(rank, best.rank))
            best = { rank, chosen: chosenOf(proposal, transform, phase, result.suite) };
          break;
        }
        if (closest === undefined || result.disagreements.length < closest.length) closest = result.disagreements;
      }
      seen++;
      if (explain && best === undefined)
        mismatches.push({
          proposal: proposal.number,
          transform: transform.number,
          disagreements: closest ?? [],
          ...(wrong !== undefined && { wrongKind: wrong }),
        });
    }
  }
  return best?.chosen ?? { kind: "mismatch", mismatches, more: seen - mismatches.length };
}

function chosenFrom<Suite>(answer: SaPayloadV1, phase: Phase, ours: readonly Wants<Suite>[]): ChosenV1<Suite> {
  const [proposal, ...others] = answer.proposals;
  const [transform, ...more] = proposal?.transforms ?? [];
  if (proposal === undefined || transform === undefined || others.length > 0 || more.length > 0)
    throw new ProtocolError("NO_PROPOSAL_CHOSEN", "the answer does not choose one transform of one proposal");
  const result = choose(answer, phase, ours);
  if (result.kind === "chosen") return result;
  throw new ProtocolError(
    "NO_PROPOSAL_CHOSEN",
    `the answer is not of our offer: ${result.mismatches.map(mismatchWords).join("; ")}`,
  );
}

function chosenOf<Suite>(proposal: ProposalV1, transform: TransformV1, phase: Phase, suite: Suite): ChosenV1<Suite> {
  const said = lifetimesOf(phase, transform.attributes);
  const unsaid = phase === 2 && said.seconds === undefined && said.kilobytes === undefined;
  const { number, protocol } = proposal;
  return {
    kind: "chosen",
    suite,
    lifetimes: unsaid ? { seconds: DEFAULT_SA_LIFE_SECONDS } : said,
    peerSpi: phase === 2 ? proposal.spi : NO_SPI,
    answer: (ourSpi) => ({ proposals: [{ number, protocol, spi: ourSpi, transforms: [transform] }] }),
  };
}

/** Why a proposal is out of the question as a whole. */
function kindProblem({ proposals }: SaPayloadV1, proposal: ProposalV1, protocol: ProtocolNameV1): string | undefined {
  const together = proposals.filter(({ number }) => number === proposal.number);
  if (together.length > 1) {
    const names = [...new Set(together.map((each) => each.protocol))].slice(0, 4).join(" and ");
    return `wants ${together.length} SAs together (${names}), ${protocol} alone is done here`;
  }
  if (proposal.protocol !== protocol) return `is for ${proposal.protocol}, ${protocol} is wanted`;
  if (protocol === "ESP" && proposal.spi.length !== 4) return `has an SPI of ${proposal.spi.length} octets, ESP has 4`;
  return undefined;
}

function idProblem(protocol: ProtocolNameV1, { id }: TransformV1): string | undefined {
  return protocol === "ISAKMP" && id !== KEY_IKE ? `has transform identifier ${id}, KEY_IKE is ${KEY_IKE}` : undefined;
}

function isLower(a: readonly number[], b: readonly number[]): boolean {
  const first = a.findIndex((value, i) => value !== b[i]);
  return first >= 0 && a[first]! < b[first]!;
}

function mismatchWords({ proposal, transform, wrongKind, disagreements }: TransformMismatch): string {
  const where = `transform ${transform} of proposal ${proposal}`;
  if (wrongKind !== undefined) return `proposal ${proposal} ${wrongKind}`;
  return `${where}: ${disagreements.map(disagreementWords).join(", ") || "we have none for it"}`;
}

function disagreementWords({ attribute, theirs, ours }: Disagreement): string {
  return attribute === "other"
    ? `not understood: ${theirs}`
    : `${attribute}: theirs ${theirs}, ours ${ours.join(" ") || "none"}`;
}
