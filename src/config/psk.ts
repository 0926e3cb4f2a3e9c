/** Pre-shared keys: where they come from, the forms they are written in, and how weak they look. */
import { resolve } from "node:path";
import { octets, text, utf8 } from "../../crypto/bytes.js";
import { Secret } from "../../crypto/secret.js";
import type { PskBlock } from "./schema.js";
import type { Surroundings } from "./surroundings.js";

const MOST_OCTETS = 65536;
const SHORT_OCTETS = 16;
const FEW_DISTINCT = 6;

export type PskOutcome =
  /** `weak`: why it could be guessed; undefined when nothing speaks against it. */
  | { readonly psk: Secret; readonly weak: string | undefined; readonly warnings: readonly string[] }
  /** Why there is no key; like the warnings it never holds a part of one. */
  | { readonly problem: string };

/** Fetches a key. `folder` is where relative file names begin: the configuration's own. */
export function readPsk(block: PskBlock, folder: string, host: Surroundings): PskOutcome {
  if (typeof block === "string") {
    const warning = "the key stands in the configuration itself; { file: PATH } or { env: NAME } keeps it apart";
    return decode(utf8(block), [warning]);
  }
  if ("env" in block) {
    const value = host.env[block.env];
    return value === undefined || value === ""
      ? { problem: `the environment variable ${block.env} is not set; set it for the daemon, or use { file: PATH }` }
      : decode(utf8(value), []);
  }
  return fromFile(resolve(folder, block.file), host);
}

function fromFile(path: string, host: Surroundings): PskOutcome {
  try {
    const { octets: content, openToAll } = host.readSecretFile(path, MOST_OCTETS);
    const warnings = openToAll ? [`every user of this host can read ${path}; chmod 600 closes it`] : [];
    return decode(withoutLastNewline(content), warnings);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    return { problem: `cannot read ${path}: ${(code && READ_FAILURES[code]) ?? code ?? error.message}` };
  }
}

const READ_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file; write the key into it, readable by the daemon's user alone",
  EACCES: "permission denied; run as the daemon's user, or let that user read it",
  EISDIR: "it is a folder; a file is needed",
  ENOTDIR: "a part of the path is not a folder",
};

/** The last newline comes from the editor, not from the operator. */
function withoutLastNewline(content: Uint8Array): Uint8Array {
  if (content.at(-1) !== 0x0a) return content;
  return content.subarray(0, content.at(-2) === 0x0d ? -2 : -1);
}

/** `0x…` is hex, `0s…` is base64, all else stands for itself, octet for octet. */
function decode(written: Uint8Array, warnings: readonly string[]): PskOutcome {
  if (written.length === 0) return { problem: "the key is empty" };
  const isHex = startsWith(written, "0x");
  const isBase64 = startsWith(written, "0s");
  if (!isHex && !isBase64) return { psk: new Secret(written), weak: weakness(written), warnings };
  const digits = text(written.subarray(2));
  const meant = isHex ? fromHex(digits) : fromBase64(digits);
  if (meant === undefined)
    return {
      problem: isHex
        ? "it begins with 0x, so pairs of hex digits must follow; write a key that only looks like hex as 0s and its base64"
        : "it begins with 0s, so base64 must follow; write a key that only looks like base64 as 0x and its hex",
    };
  if (meant.length === 0) return { problem: "the key is empty" };
  return { psk: new Secret(meant), weak: weakness(meant), warnings };
}

function startsWith(bytes: Uint8Array, prefix: string): boolean {
  return utf8(prefix).every((octet, i) => bytes[i] === octet);
}

function fromHex(digits: string): Uint8Array | undefined {
  return /^(?:[0-9a-fA-F]{2})*$/.test(digits) ? octets(digits) : undefined;
}

function fromBase64(digits: string): Uint8Array | undefined {
  const bare = digits.replace(/={0,2}$/, "");
  if (!/^[A-Za-z0-9+/]*$/.test(bare) || bare.length % 4 === 1) return undefined;
  return new Uint8Array(Buffer.from(bare, "base64"));
}

/** What anybody would try first; compared without case and without the digits at the end. */
const WELL_KNOWN = new Set(
  "password passw0rd secret changeme letmein welcome qwerty qwertyuiop admin administrator cisco juniper strongswan libreswan openswan ipsec vpn psk test testing presharedkey pre-shared-key sharedsecret shared-secret mysecret mypassword supersecret topsecret default root abc iloveyou tencent huawei h3c fortinet mikrotik causeway example key".split(
    " ",
  ),
);

function weakness(key: Uint8Array): string | undefined {
  const found: string[] = [];
  const word = text(key).toLowerCase();
  if (WELL_KNOWN.has(word) || WELL_KNOWN.has(word.replace(/[\d!.]+$/, "")) || /^(?:0?123456789?0?)+$/.test(word))
    found.push("it is a well known word");
  if (key.length < SHORT_OCTETS) found.push(`it has fewer than ${SHORT_OCTETS} octets`);
  if (new Set(key).size < FEW_DISTINCT) found.push(`it has fewer than ${FEW_DISTINCT} different octets`);
  return found.length === 0 ? undefined : found.join(", ");
}
