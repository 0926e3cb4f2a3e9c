/** Proposals in libreswan's spelling. What a row has no word for here, pluto 4.10 does not have. */

import { allRows } from "../../crypto/registry/lookup.js";
import type { EncryptionRow } from "../../crypto/registry/row.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import type { Words } from "./spelling.js";
import { type Spelling, spellingOf } from "./spelling.js";

/** By the first keyword of the row; `*` stands for the key length. */
const CIPHERS: Words = { "3des": "3des", "aes*": "aes*", "camellia*": "camellia*", "aes*ctr": "aes_ctr*" };
const AEADS: Words = {
  "aes*gcm8": "aes_gcm_a*",
  "aes*gcm12": "aes_gcm_b*",
  "aes*gcm16": "aes_gcm_c*",
  chacha20poly1305: "chacha20_poly1305",
};
const CCM: Words = { "aes*ccm8": "aes_ccm_a*", "aes*ccm12": "aes_ccm_b*", "aes*ccm16": "aes_ccm_c*" };
const HASHES: Words = {
  md5: "md5",
  sha1: "sha1",
  sha256: "sha2_256",
  sha384: "sha2_384",
  sha512: "sha2_512",
  aesxcbc: "aes_xcbc",
};
const PRFS: Words = Object.fromEntries(Object.entries(HASHES).map(([hash, word]) => [`prf${hash}`, word]));
const GROUPS: Words = {
  ...Object.fromEntries(
    ["modp1536", "modp2048", "modp3072", "modp4096", "modp6144", "modp8192"].map((word) => [word, word]),
  ),
  ecp256: "dh19",
  ecp384: "dh20",
  ecp521: "dh21",
  x25519: "dh31",
};
const SEQUENCES: Words = { esn: "esn", noesn: "noesn" };

export const libreswanSpelling: Spelling = spellingOf({
  ike: { ...CIPHERS, ...AEADS, ...HASHES, ...PRFS, ...GROUPS },
  esp: {
    ...CIPHERS,
    ...AEADS,
    ...CCM,
    "aes*gmac": "aes_gmac*",
    null: "null",
    ...HASHES,
    aescmac: "aes_cmac",
    ...GROUPS,
    ...SEQUENCES,
  },
});

/** "aes256+aes128-sha2_256;modp2048+dh19"; alternatives of one kind are joined by "+". */
export function libreswanProposalText(proposal: IkeProposal | EspProposal): string {
  const usage = "prf" in proposal ? "ike" : "esp";
  const integrity = "prf" in proposal && proposal.integrity.length === 0 ? proposal.prf : proposal.integrity;
  const words = [
    proposal.encryption.map(({ row, keyBits }) => libreswanSpelling(usage, row, keyBits)!).join("+"),
    integrity.map((row) => libreswanSpelling(usage, row)!).join("+"),
  ].filter((part) => part !== "");
  const groups = proposal.keyExchange.map((row) => libreswanSpelling(usage, row)!).join("+");
  return words.join("-") + (groups === "" ? "" : `;${groups}`);
}

/** Without a key length libreswan offers them all, the longest first. */
const EVERY_LENGTH = [256, 192, 128];

/** Further spellings that pluto takes, by what stands before a key length. */
const ENCRYPTION_ALIASES: Readonly<Record<string, string>> = {
  aes: "aes*",
  aes_cbc: "aes*",
  aes_ctr: "aes*ctr",
  aes_gcm: "aes*gcm16",
  aes_gcm_a: "aes*gcm8",
  aes_gcm_b: "aes*gcm12",
  aes_gcm_c: "aes*gcm16",
  aes_gcm_8: "aes*gcm8",
  aes_gcm_12: "aes*gcm12",
  aes_gcm_16: "aes*gcm16",
  aes_ccm: "aes*ccm16",
  aes_ccm_a: "aes*ccm8",
  aes_ccm_b: "aes*ccm12",
  aes_ccm_c: "aes*ccm16",
  aes_ccm_8: "aes*ccm8",
  aes_ccm_12: "aes*ccm12",
  aes_ccm_16: "aes*ccm16",
  aes_gmac: "aes*gmac",
  null_auth_aes_gmac: "aes*gmac",
  camellia: "camellia*",
  camellia_cbc: "camellia*",
};
const FIXED_ALIASES: Readonly<Record<string, string>> = {
  "3des": "3des",
  "3des_cbc": "3des",
  des: "des",
  null: "null",
  chacha20_poly1305: "chacha20poly1305",
  chacha20poly1305: "chacha20poly1305",
};
const HASH_ALIASES: Readonly<Record<string, string>> = {
  md5: "md5",
  hmac_md5: "md5",
  hmac_md5_96: "md5",
  sha: "sha1",
  sha1: "sha1",
  hmac_sha1: "sha1",
  hmac_sha1_96: "sha1",
  sha2: "sha256",
  sha256: "sha256",
  sha2_256: "sha256",
  hmac_sha2_256: "sha256",
  hmac_sha2_256_128: "sha256",
  sha384: "sha384",
  sha2_384: "sha384",
  hmac_sha2_384: "sha384",
  hmac_sha2_384_192: "sha384",
  sha512: "sha512",
  sha2_512: "sha512",
  hmac_sha2_512: "sha512",
  hmac_sha2_512_256: "sha512",
  aes_xcbc: "aesxcbc",
  aes_xcbc_96: "aesxcbc",
  aes_cmac: "aescmac",
  aes_cmac_96: "aescmac",
};
const GROUP_ALIASES: Readonly<Record<string, string>> = {
  ecp_256: "ecp256",
  ecp_384: "ecp384",
  ecp_521: "ecp521",
  curve25519: "x25519",
  none: "",
};

/** The keywords of ours that a word of libreswan stands for: several where it leaves the key length open. */
export function libreswanWord(word: string): readonly string[] | undefined {
  const plain = word.toLowerCase();
  if (plain === "none") return [];
  const fixed = FIXED_ALIASES[plain] ?? HASH_ALIASES[plain] ?? GROUP_ALIASES[plain];
  if (fixed !== undefined) return [fixed];
  if (/^(dh\d{1,2}|modp\d{3,4}|ecp\d{3})$/.test(plain)) return [plain];
  const whole = ENCRYPTION_ALIASES[plain];
  if (whole !== undefined) return lengthsOf(whole).map((bits) => whole.replace("*", String(bits)));
  const [, name = "", bits = ""] = /^(.*?)_?(128|192|256)$/.exec(plain) ?? [];
  const family = ENCRYPTION_ALIASES[name];
  return family === undefined ? undefined : [family.replace("*", bits)];
}

function lengthsOf(keyword: string): readonly number[] {
  const row = allRows().find(
    (each): each is EncryptionRow => each.kind === "encryption" && each.keywords[0] === keyword,
  );
  return EVERY_LENGTH.filter((bits) => row?.keyBits.includes(bits));
}
