/**
 * Choosing a suite, RFC 7296 sections 2.7 and 3.3. The responder goes through the peer's proposals in the peer's order,
 * and for each of them through ours in our order; between the members of two proposals our order decides.
 */
import { DEFAULT_NUMBERING, type Numbering, numberOf, sendsKeyLength } from "../../crypto/registry/numbering.js";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import type { EspProposal, EspSuite, IkeProposal, IkeSuite } from "../../crypto/registry/suite.js";
import type { SaPayload } from "../wire/payloads/sa.js";
import type { Protocol, ProtocolName } from "../wire/protocols.js";
import { type Grounds, ProtocolError } from "./errors.js";
import { type ComparedOffer, closestOf, MOST_COMPARED } from "./evidence.js";
import {
  compareTransforms,
  espWants,
  ikeWants,
  match,
  offeredTransforms,
  type Picked,
  type TypeMismatch,
  type Want,
} from "./proposal-match.js";

/** The peer's proposal that we take, as a suite and as the answer's SA payload. */
export interface Chosen<Suite> {
  readonly kind: "chosen";
  readonly suite: Suite;
  /** The peer's: 4 octets for ESP, 8 when an IKE SA is rekeyed, empty in IKE_SA_INIT. */
  readonly peerSpi: Uint8Array;
  /** The SAr payload; our SPI is as long as the peer's. */
  answer(ourSpi: Uint8Array): SaPayload;
}

/** No proposal fits: for each of the peer's proposals how it fails against the closest of ours. */
export interface NotChosen {
  readonly kind: "mismatch";
  readonly mismatches: readonly ProposalMismatch[];
}

export interface ProposalMismatch {
  /** The peer's Proposal Num. */
  readonly number: number;
  /** Another protocol or SPI than the exchange is about: the transforms were not looked at. */
  readonly wrongKind?: string;
  readonly types: readonly TypeMismatch[];
}

/** Responder, IKE SA. `keGroup`: the group of the peer's KE payload; where it is acceptable it saves a round trip. */
export function chooseIke(
  peer: SaPayload,
  ours: readonly IkeProposal[],
  { rekey = false, keGroup }: { readonly rekey?: boolean; readonly keGroup?: number } = {},
): Chosen<IkeSuite> | NotChosen {
  return choose(peer, "IKE", rekey ? 8 : 0, ours.map(ikeWants), keGroup, ikeSuite);
}

/** Responder, child SA. `keyExchange`: false in IKE_AUTH, where key exchange transforms do not count. */
export function chooseEsp(
  peer: SaPayload,
  ours: readonly EspProposal[],
  { keyExchange, keGroup }: { readonly keyExchange: boolean; readonly keGroup?: number },
): Chosen<EspSuite> | NotChosen {
  return choose(peer, "ESP", 4, allEspWants(ours, keyExchange), keGroup, espSuite);
}

/** Proposals of a peer whose mismatch is explained: strangers send long lists as well, and as often as they like. */
const MOST_EXPLAINED = 8;

/** NO_PROPOSAL_CHOSEN with both sides' algorithms in words. */
export function noProposalChosen({ mismatches }: NotChosen, grounds?: Grounds): ProtocolError {
  const words = mismatches.slice(0, MOST_EXPLAINED).map(mismatchWords);
  const more = mismatches.length - words.length;
  const detail = [...words, ...(more > 0 ? [`${more} more`] : [])].join("; ");
  return new ProtocolError("NO_PROPOSAL_CHOSEN", detail, undefined, grounds);
}

/** The peer's proposals for an IKE SA beside the closest of ours each. */
export function compareIke(peer: SaPayload, ours: readonly IkeProposal[]): ComparedOffer {
  return compare(peer, "IKE", 0, ours.map(ikeWants), "group");
}

/** Likewise for a child SA; `keyExchange` as in `chooseEsp`. */
export function compareEsp(peer: SaPayload, ours: readonly EspProposal[], keyExchange: boolean): ComparedOffer {
  return compare(peer, "ESP", 4, allEspWants(ours, keyExchange), "pfs");
}

function compare(
  { proposals }: SaPayload,
  protocol: ProtocolName,
  spiBytes: number,
  ours: readonly (readonly Want[])[],
  keyExchange: "group" | "pfs",
): ComparedOffer {
  const compared = proposals.slice(0, MOST_COMPARED).map(({ number, protocol: theirs, spi, transforms }) => {
    const wrongKind = kindProblem(theirs, spi, protocol, spiBytes);
    if (wrongKind !== undefined) {
      const row = {
        attribute: "protocol",
        verdict: "different",
        ours: [protocol],
        theirs: [protocolWords(theirs)],
      } as const;
      return { number: String(number), rows: [row] };
    }
    const rows = closestOf(ours.map((wants) => compareTransforms(transforms, wants, keyExchange)));
    return { number: String(number), rows };
  });
  return { proposals: compared, more: proposals.length - compared.length };
}

/** What several tunnels accept together, each proposal once: strangers are compared with all of it. */
export function distinctProposals(proposals: readonly IkeProposal[]): readonly IkeProposal[] {
  const byWords = new Map<string, IkeProposal>();
  for (const proposal of proposals) {
    let words = WORDS.get(proposal);
    if (words === undefined) {
      words = proposalKeywords(proposal) + (proposal.numbering ? ` ${JSON.stringify(proposal.numbering)}` : "");
      WORDS.set(proposal, words);
    }
    if (!byWords.has(words)) byWords.set(words, proposal);
  }
  return [...byWords.values()];
}

const WORDS = new WeakMap<IkeProposal, string>();

/** Our offer for an IKE SA; `spi` (8 octets) only when one is rekeyed. */
export function offerIke(ours: readonly IkeProposal[], spi: Uint8Array = new Uint8Array(0)): SaPayload {
  return offer("IKE", spi, ours.map(ikeWants));
}

/** Our offer for a child SA; without key exchange transforms in IKE_AUTH. */
export function offerEsp(ours: readonly EspProposal[], spi: Uint8Array, keyExchange: boolean): SaPayload {
  return offer("ESP", spi, allEspWants(ours, keyExchange));
}

/** Initiator: what the answer chose of our offer. Throws `ProtocolError` NO_PROPOSAL_CHOSEN when it is not of our offer. */
export function chosenIke(answer: SaPayload, ours: readonly IkeProposal[], rekey = false): ChosenByPeer<IkeSuite> {
  return chosenFrom(answer, "IKE", rekey ? 8 : 0, ours.map(ikeWants), ikeSuite);
}

/** As `chosenIke`, for a child SA. */
export function chosenEsp(
  answer: SaPayload,
  ours: readonly EspProposal[],
  keyExchange: boolean,
): ChosenByPeer<EspSuite> {
  return chosenFrom(answer, "ESP", 4, allEspWants(ours, keyExchange), espSuite);
}

export interface ChosenByPeer<Suite> {
  readonly suite: Suite;
  readonly peerSpi: Uint8Array;
}

/** Whether these proposals allow the suite: asked once more when IKE_AUTH has told which tunnel it is. */
export function allowsIke(ours: readonly IkeProposal[], suite: IkeSuite): boolean {
  return ours.some(
    ({ encryption, integrity, prf, keyExchange, numbering }) =>
      sameNumbers(suite, numbering) &&
      encryption.some(({ row, keyBits }) => row === suite.encryption && keyBits === suite.keyBits) &&
      (suite.integrity === undefined ? integrity.length === 0 : integrity.includes(suite.integrity)) &&
      prf.includes(suite.prf) &&
      keyExchange.includes(suite.keyExchange),
  );
}

/** Whether the suite stands under the same numbers in another numbering: then the peer may have meant either. */
function sameNumbers(suite: IkeSuite, other: Numbering = DEFAULT_NUMBERING): boolean {
  const { encryption, integrity, prf, keyExchange, numbering = DEFAULT_NUMBERING } = suite;
  const rows = [encryption, ...(integrity ? [integrity] : []), prf, keyExchange];
  return (
    numbering === other ||
    (rows.every((row) => numberOf(numbering, row, "ikev2") === numberOf(other, row, "ikev2")) &&
      sendsKeyLength(numbering, encryption) === sendsKeyLength(other, encryption))
  );
}

function choose<Suite>(
  peer: SaPayload,
  protocol: ProtocolName,
  spiBytes: number,
  ours: readonly (readonly Want[])[],
  keGroup: number | undefined,
  suiteOf: (picked: Picked) => Suite,
): Chosen<Suite> | NotChosen {
  const mismatches: ProposalMismatch[] = [];
  for (const { number, protocol: theirs, spi, transforms } of peer.proposals) {
    const wrongKind = kindProblem(theirs, spi, protocol, spiBytes);
    let closest: readonly TypeMismatch[] | undefined;
    for (const wants of wrongKind === undefined ? ours : []) {
      const explain = mismatches.length < MOST_EXPLAINED;
      const result = match(transforms, wants, keGroup, explain);
      if (result.kind === "picked") {
        const { picked } = result;
        const answer = (ourSpi: Uint8Array) => ({
          proposals: [{ number, protocol, spi: ourSpi, transforms: picked.answer }],
        });
        return { kind: "chosen", suite: suiteOf(picked), peerSpi: spi, answer };
      }
      if (closest === undefined || result.types.length < closest.length) closest = result.types;
    }
    mismatches.push({ number, types: closest ?? [], ...(wrongKind !== undefined && { wrongKind }) });
  }
  return { kind: "mismatch", mismatches };
}

function chosenFrom<Suite>(
  answer: SaPayload,
  protocol: ProtocolName,
  spiBytes: number,
  ours: readonly (readonly Want[])[],
  suiteOf: (picked: Picked) => Suite,
): ChosenByPeer<Suite> {
  const [proposal, ...more] = answer.proposals;
  if (proposal === undefined || more.length > 0)
    throw notOffered(`the answer holds ${answer.proposals.length} proposals, it must choose one`);
  const wrongKind = kindProblem(proposal.protocol, proposal.spi, protocol, spiBytes);
  if (wrongKind !== undefined) throw notOffered(`the answer ${wrongKind}`);
  const wants = ours[proposal.number - 1];
  if (wants === undefined)
    throw notOffered(`the answer chose proposal ${proposal.number}, we offered 1 to ${ours.length}`);
  const twice = proposal.transforms.find(({ type }, i) => proposal.transforms.some((t, k) => k < i && t.type === type));
  if (twice !== undefined) throw notOffered(`the answer has more than one transform of type ${twice.type}`);
  const result = match(proposal.transforms, wants);
  if (result.kind === "mismatch")
    throw notOffered(`the answer is not of our offer: ${result.types.map(typeWords).join(", ")}`);
  return { suite: suiteOf(result.picked), peerSpi: proposal.spi };
}

function offer(protocol: ProtocolName, spi: Uint8Array, ours: readonly (readonly Want[])[]): SaPayload {
  return {
    proposals: ours.map((wants, i) => ({ number: i + 1, protocol, spi, transforms: offeredTransforms(wants) })),
  };
}

function allEspWants(ours: readonly EspProposal[], keyExchange: boolean): readonly (readonly Want[])[] {
  return ours.map((proposal) => espWants(proposal, keyExchange));
}

function ikeSuite({ encryption, integrity, prf, keyExchange, numbering }: Picked): IkeSuite {
  return {
    encryption: encryption.row,
    keyBits: encryption.keyBits,
    ...(integrity && { integrity }),
    prf: prf!,
    keyExchange: keyExchange!,
    ...(numbering !== DEFAULT_NUMBERING && { numbering }),
  };
}

function espSuite({ encryption, integrity, keyExchange, sequence }: Picked): EspSuite {
  return {
    encryption: encryption.row,
    keyBits: encryption.keyBits,
    ...(integrity && { integrity }),
    ...(keyExchange && { keyExchange }),
    sequence: sequence!,
  };
}

function kindProblem(protocol: Protocol, spi: Uint8Array, wanted: ProtocolName, spiBytes: number): string | undefined {
  if (protocol === wanted && spi.length === spiBytes) return undefined;
  return `is for ${protocolWords(protocol)} with an SPI of ${spi.length} octets, ${wanted} with ${spiBytes} is wanted`;
}

function protocolWords(protocol: Protocol): string {
  return typeof protocol === "number" ? `protocol ${protocol}` : protocol;
}

function notOffered(detail: string): ProtocolError {
  return new ProtocolError("NO_PROPOSAL_CHOSEN", detail);
}

function mismatchWords({ number, wrongKind, types }: ProposalMismatch): string {
  if (wrongKind !== undefined) return `proposal ${number} ${wrongKind}`;
  return `proposal ${number}: ${types.map(typeWords).join(", ") || "we have none for it"}`;
}

function typeWords({ type, theirs, ours }: TypeMismatch): string {
  if (type === "other") return `unknown transforms (${theirs.join(", ")})`;
  return `${TYPE_WORDS[type]}: theirs ${theirs.join(" ") || "none"}, ours ${ours.join(" ") || "none"}`;
}

const TYPE_WORDS = {
  encryption: "encryption",
  integrity: "integrity",
  prf: "PRF",
  keyExchange: "key exchange",
  sequence: "sequence numbers",
} as const;
