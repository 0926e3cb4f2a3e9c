/**
 * Proposals as the configuration writes them: keywords joined by "-", in any order; several of one type are
 * alternatives in order of preference. What is left out follows from the rest: the PRF is that of the integrity, with an
 * AEAD it is prfsha256; ESP offers both sizes of sequence numbers.
 */

import { allKeywords, keywordOf, rowByKeyword } from "./lookup.js";
import { isNotYetSupported } from "./not-yet.js";
import { PRF_HMAC_SHA2_256 } from "./prf.js";
import type { IntegrityRow, KeyExchangeRow, PrfRow, SealerSpec, SequenceRow } from "./row.js";
import { SEQUENCE_32, SEQUENCE_ESN } from "./sequence.js";
import type { EncryptionChoice, EspProposal, EspSuite, IkeProposal, IkeSuite } from "./suite.js";

/** Without `esn` or `noesn`: the peer chooses, ESN preferred. */
const DEFAULT_SEQUENCE: readonly SequenceRow[] = [SEQUENCE_ESN, SEQUENCE_32];

/** `product.md` section 1: AEADs and AES-CBC with X25519, ECP-256 and MODP-2048. */
export const DEFAULT_IKE_PROPOSALS: readonly IkeProposal[] = [
  "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha256-prfsha384-x25519-ecp256-modp2048",
  "aes256-sha256-x25519-ecp256-modp2048",
].map(parseIkeProposal);

/** The same ciphers, PFS on. */
export const DEFAULT_ESP_PROPOSALS: readonly EspProposal[] = [
  "aes256gcm16-aes128gcm16-chacha20poly1305-x25519-ecp256-modp2048",
  "aes256-sha256-x25519-ecp256-modp2048",
].map(parseEspProposal);

/** One entry of `ike.proposals`. Throws `RangeError` with a sentence for the operator. */
export function parseIkeProposal(text: string): IkeProposal {
  const words = sort(text);
  const { encryption, keyExchange } = words;
  if (words.sequence.length > 0)
    throw new RangeError(`"${keywordOf(words.sequence[0]!)}" belongs to esp.proposals: IKE messages have no ESN`);
  const espOnly = encryption.filter(({ row }) => row.espOnly);
  if (espOnly.length > 0)
    throw new RangeError(`"${spell(espOnly)}" belongs to esp.proposals: it encrypts nothing, and IKE messages must be`);
  const aead = isAead(encryption, "ike");
  // strongSwan users write the hash of an AEAD proposal as an integrity keyword: it means the PRF.
  const prf = words.prf.length > 0 ? words.prf : unique(words.integrity.map((row) => row.ownPrf));
  if (!aead && words.integrity.length === 0)
    throw new RangeError(`"${text}" has no integrity algorithm: add one, for example sha256`);
  if (keyExchange.length === 0)
    throw new RangeError(`"${text}" has no key exchange group: add one, for example x25519, ecp256 or modp2048`);
  return {
    encryption,
    integrity: aead ? [] : words.integrity,
    prf: prf.length > 0 ? prf : [PRF_HMAC_SHA2_256],
    keyExchange,
  };
}

/** One entry of `esp.proposals`; groups in it mean PFS. Throws `RangeError` with a sentence for the operator. */
export function parseEspProposal(text: string): EspProposal {
  const words = sort(text);
  const { encryption, integrity, keyExchange } = words;
  if (words.prf.length > 0)
    throw new RangeError(`"${keywordOf(words.prf[0]!)}" belongs to ike.proposals: ESP uses no PRF of its own`);
  const aead = isAead(encryption, "esp");
  if (aead && integrity.length > 0)
    throw new RangeError(`"${spell(encryption)}" protects integrity itself: remove ${keywordOf(integrity[0]!)}`);
  if (!aead && integrity.length === 0)
    throw new RangeError(`"${text}" has no integrity algorithm: add one, for example sha256`);
  return {
    encryption,
    integrity,
    keyExchange,
    sequence: words.sequence.length > 0 ? words.sequence : DEFAULT_SEQUENCE,
  };
}

/** The keyword form of what was negotiated: "aes256gcm16-prfsha384-ecp384", "aes128-sha256-modp2048". */
export function ikeSuiteName(suite: IkeSuite): string {
  const { integrity, prf, keyExchange } = suite;
  const ownPrf = integrity?.ownPrf.name === prf.name;
  return [...sealerWords(suite), ...(ownPrf ? [] : [keywordOf(prf)]), keywordOf(keyExchange)].join("-");
}

/** "aes256gcm16-esn", "aes128-sha256-modp2048"; without ESN nothing is said of it. */
export function espSuiteName(suite: EspSuite): string {
  const { keyExchange, sequence } = suite;
  const words = sealerWords(suite);
  if (keyExchange !== undefined) words.push(keywordOf(keyExchange));
  if (sequence.extended) words.push(keywordOf(sequence));
  return words.join("-");
}

/** The shortest text that parses to this proposal. */
export function proposalKeywords(proposal: IkeProposal | EspProposal): string {
  const words = [spell(proposal.encryption), ...proposal.integrity.map((row) => keywordOf(row))];
  if ("prf" in proposal && !sameRows(proposal.prf, impliedPrf(proposal)))
    words.push(...proposal.prf.map((row) => keywordOf(row)));
  words.push(...proposal.keyExchange.map((row) => keywordOf(row)));
  if ("sequence" in proposal && !sameRows(proposal.sequence, DEFAULT_SEQUENCE))
    words.push(...proposal.sequence.map((row) => keywordOf(row)));
  return words.join("-");
}

interface Words {
  readonly encryption: readonly EncryptionChoice[];
  readonly integrity: readonly IntegrityRow[];
  readonly prf: readonly PrfRow[];
  readonly keyExchange: readonly KeyExchangeRow[];
  readonly sequence: readonly SequenceRow[];
}

/** The words of a proposal by type. */
function sort(text: string): Words {
  const encryption: EncryptionChoice[] = [];
  const integrity: IntegrityRow[] = [];
  const prf: PrfRow[] = [];
  const keyExchange: KeyExchangeRow[] = [];
  const sequence: SequenceRow[] = [];
  const seen = new Set<string>();
  for (const word of text.trim().split("-")) {
    const { row, keyBits } = rowByKeyword(word) ?? refuse(word, text);
    const canonical = keywordOf(row, keyBits);
    if (seen.has(canonical)) throw new RangeError(`"${text}" names ${canonical} twice`);
    seen.add(canonical);
    switch (row.kind) {
      case "encryption":
        encryption.push({ row, keyBits: keyBits! });
        break;
      case "integrity":
        integrity.push(row);
        break;
      case "prf":
        prf.push(row);
        break;
      case "keyExchange":
        keyExchange.push(row);
        break;
      case "sequence":
        sequence.push(row);
        break;
    }
  }
  if (encryption.length === 0)
    throw new RangeError(`"${text}" has no encryption algorithm: add one, for example aes256gcm16`);
  return { encryption, integrity, prf, keyExchange, sequence };
}

/** Whether the ciphers are AEADs; a proposal holds one sort only (RFC 7296 section 3.3). */
function isAead(encryption: readonly EncryptionChoice[], where: "ike" | "esp"): boolean {
  const aeads = encryption.filter(({ row }) => row.aead);
  if (aeads.length === 0) return false;
  if (aeads.length === encryption.length) return true;
  const others = encryption.filter(({ row }) => !row.aead);
  throw new RangeError(
    `${spell(aeads)} and ${spell(others)} cannot share a proposal, because only the latter needs an integrity algorithm: ` +
      `make them two entries of ${where}.proposals`,
  );
}

function refuse(word: string, text: string): never {
  if (word === "") throw new RangeError(`"${text}" has an empty keyword: write keywords joined by single "-"`);
  if (isNotYetSupported(word)) throw new RangeError(`not supported yet: ${word.toLowerCase()}`);
  const near = nearest(word.toLowerCase());
  const hint = near.length > 0 ? `did you mean ${near.join(" or ")}?` : `allowed are ${printedKeywords().join(" ")}`;
  throw new RangeError(`unknown keyword "${word}": ${hint}`);
}

/** Keywords within two edits, the closest only. */
function nearest(word: string): string[] {
  const distances = [...allKeywords().keys()].map((keyword) => ({ keyword, distance: editDistance(word, keyword) }));
  const least = Math.min(...distances.map(({ distance }) => distance));
  if (least > 2 || least >= word.length) return [];
  return distances.filter(({ distance }) => distance === least).map(({ keyword }) => keyword);
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

/** The first spelling of each algorithm. */
function printedKeywords(): string[] {
  return [...new Set([...allKeywords().values()].map(({ row, keyBits }) => keywordOf(row, keyBits)))];
}

function sealerWords({ encryption, keyBits, integrity }: SealerSpec): string[] {
  const words = [keywordOf(encryption, keyBits)];
  if (integrity !== undefined) words.push(keywordOf(integrity));
  return words;
}

function spell(encryption: readonly EncryptionChoice[]): string {
  return encryption.map(({ row, keyBits }) => keywordOf(row, keyBits)).join("-");
}

function impliedPrf(proposal: IkeProposal): readonly PrfRow[] {
  if (proposal.integrity.length === 0) return [PRF_HMAC_SHA2_256];
  return unique(proposal.integrity.map((row) => row.ownPrf));
}

function unique<T>(list: readonly T[]): readonly T[] {
  return [...new Set(list)];
}

function sameRows(a: readonly { readonly name: string }[], b: readonly { readonly name: string }[]): boolean {
  return a.length === b.length && a.every((row, i) => row.name === b[i]!.name);
}
