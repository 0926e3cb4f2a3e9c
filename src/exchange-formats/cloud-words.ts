/** Algorithms as the downloads of clouds and the devices that these are written for spell them. */
import { parseEspProposal, parseIkeProposal } from "../../crypto/registry/proposal.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import { type Notes, quote } from "./notes.js";

/** "aes-128-cbc", "AES-CBC-128", "AES128-GCM-16", "AES128GCM128", "3DES-CBC", "des-cbc", "SM4". */
function cipherWord(words: string): string | undefined {
  const plain = words.toLowerCase().replace(/[^a-z0-9]/g, "");
  if (/^3des(cbc)?$/.test(plain)) return "3des";
  if (/^des(cbc)?$/.test(plain)) return "des";
  if (/^sm4(cbc)?$/.test(plain)) return "sm4";
  if (plain === "null") return "null";
  const [, before = "", mode = "cbc", after = ""] = /^aes(128|192|256)?(cbc|gcm)?(128|192|256|16)?$/.exec(plain) ?? [];
  const bits = before || (after === "16" ? "" : after);
  if (!plain.startsWith("aes") || !/^(128|192|256)$/.test(bits)) return undefined;
  return mode === "gcm" ? `aes${bits}gcm16` : `aes${bits}`;
}

/** "sha1", "hmac-sha1-96", "sha2-256", "SHA-256", "hmac-sha2-256-128", "MD5", "SM3". */
function hashWord(words: string): string | undefined {
  const plain = words.toLowerCase().replace(/^hmac-?/, "");
  if (/^md5/.test(plain)) return "md5";
  if (/^sm3/.test(plain)) return "sm3";
  const [, size] = /^sha-?(?:2-?)?(256|384|512)/.exec(plain) ?? [];
  if (size !== undefined) return `sha${size}`;
  return /^sha(-?1)?(-96)?$/.test(plain) ? "sha1" : undefined;
}

/** "Group 2", "group14", "DH-GROUP1", "Diffie-Hellman Group 2"; "" for none. */
function groupWord(words: string): string | undefined {
  if (/^(null|none|disabled?|off|)$/i.test(words.trim())) return "";
  const [, number] = /(?:group|dh)[\s_-]*(\d{1,2})\s*$/i.exec(words) ?? [];
  return number === undefined ? undefined : `dh${Number(number)}`;
}

export interface Word {
  readonly text: string;
  readonly line: number;
}

/** One algorithm of each kind; undefined, and a note, where one is missing or unknown. */
export function cloudIke(
  cipher: Word | undefined,
  hash: Word | undefined,
  group: Word | undefined,
  notes: Notes,
): readonly IkeProposal[] | undefined {
  return proposal(
    parseIkeProposal,
    [
      [cipher, cipherWord],
      [hash, hashWord],
      [group, groupWord],
    ],
    notes,
  );
}

export function cloudEsp(
  cipher: Word | undefined,
  hash: Word | undefined,
  group: Word | undefined,
  notes: Notes,
): readonly EspProposal[] | undefined {
  const aead = cipher !== undefined && /gcm/.test(cipherWord(cipher.text) ?? "");
  return proposal(
    parseEspProposal,
    [[cipher, cipherWord], ...(aead ? [] : ([[hash, hashWord]] as const)), [group, groupWord]],
    notes,
  );
}

function proposal<P>(
  parse: (text: string) => P,
  parts: readonly (readonly [Word | undefined, (words: string) => string | undefined])[],
  notes: Notes,
): readonly P[] | undefined {
  const keywords: string[] = [];
  for (const [word, read] of parts) {
    if (word === undefined) continue;
    const keyword = read(word.text);
    if (keyword === undefined)
      notes.add(word.line, `${quote(word.text)} is no algorithm that causeway has; it is left out`);
    else if (keyword !== "") keywords.push(keyword);
  }
  try {
    return [parse(keywords.join("-"))];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const line = parts.find(([word]) => word !== undefined)?.[0]?.line ?? 0;
    notes.add(line, `its algorithms are left out: ${error.message}`);
    return undefined;
  }
}
