/** Proposals in libreswan's spelling, from the words of the registry. */
import { keywordOf, rowByKeyword } from "../../crypto/registry/lookup.js";
import { libreswanSpelling } from "../../src/exchange-formats/libreswan-words.js";

/** aes256-sha256-modp2048 to aes256-sha2_256;modp2048. Throws `RangeError` for what is no keyword. */
export function libreswanProposal(text: string): string {
  const algorithms: string[] = [];
  const groups: string[] = [];
  for (const keyword of text.split("-")) {
    const meaning = rowByKeyword(keyword);
    if (meaning === undefined) throw new RangeError(`${text}: no algorithm is called ${keyword}`);
    const { row, keyBits } = meaning;
    const word =
      libreswanSpelling("esp", row, keyBits) ?? libreswanSpelling("ike", row, keyBits) ?? keywordOf(row, keyBits);
    (row.kind === "keyExchange" ? groups : algorithms).push(word);
  }
  return [algorithms.join("-"), ...groups].join(";");
}
