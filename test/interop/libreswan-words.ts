/** Proposals in libreswan's spelling, from the words of the registry. */
import { keywordOf, rowByKeyword } from "../../crypto/registry/lookup.js";

/** By the first keyword of the row; `*` stands for the key length. */
const WORDS: Readonly<Record<string, string>> = {
  "aes*ctr": "aes_ctr*",
  "aes*ccm8": "aes_ccm_a*",
  "aes*ccm12": "aes_ccm_b*",
  "aes*ccm16": "aes_ccm_c*",
  "aes*gcm8": "aes_gcm_a*",
  "aes*gcm12": "aes_gcm_b*",
  "aes*gcm16": "aes_gcm_c*",
  "aes*gmac": "aes_gmac*",
  "camellia*ctr": "camellia_ctr*",
  chacha20poly1305: "chacha20_poly1305",
  sha256: "sha2_256",
  sha384: "sha2_384",
  sha512: "sha2_512",
  aesxcbc: "aes_xcbc",
  aescmac: "aes_cmac",
  prfmd5: "md5",
  prfsha1: "sha1",
  prfsha256: "sha2_256",
  prfsha384: "sha2_384",
  prfsha512: "sha2_512",
  prfaesxcbc: "aes_xcbc",
  ecp256: "dh19",
  ecp384: "dh20",
  ecp521: "dh21",
  x25519: "dh31",
};

/** aes256-sha256-modp2048 to aes256-sha2_256;modp2048. Throws `RangeError` for what is no keyword. */
export function libreswanProposal(text: string): string {
  const algorithms: string[] = [];
  const groups: string[] = [];
  for (const keyword of text.split("-")) {
    const meaning = rowByKeyword(keyword);
    if (meaning === undefined) throw new RangeError(`${text}: no algorithm is called ${keyword}`);
    const { row, keyBits } = meaning;
    const word = WORDS[row.keywords[0]!]?.replace("*", String(keyBits)) ?? keywordOf(row, keyBits);
    (row.kind === "keyExchange" ? groups : algorithms).push(word);
  }
  return [algorithms.join("-"), ...groups].join(";");
}
