/**
 * The format of `vectors/` (its README describes it): a file says what it pins and where the figures are from, and holds
 * cases. Octet strings are hex.
 */

/** Fields every case has. `row` is a registry name, `source` the place in the original. */
interface CaseBase {
  readonly row: string;
  readonly source: string;
  /** False: the figures must be refused. */
  readonly valid?: boolean;
}

/** A cipher without integrity, both directions. */
export interface CipherCase extends CaseBase {
  readonly kind: "cipher";
  readonly key: string;
  readonly iv: string;
  readonly plain: string;
  readonly cipher: string;
}

/** An AEAD as the Sealer sees it: the key ends in the salt, `header` is the associated data, `sealed` ends in the ICV. */
export interface AeadCase extends CaseBase {
  readonly kind: "aead";
  readonly key: string;
  readonly iv: string;
  readonly header: string;
  readonly plain: string;
  readonly sealed: string;
}

/** An ESP packet: `header` is SPI and sequence number, `plain` has padding and trailer. Without ICV for a bare cipher. */
export interface EspCase extends CaseBase {
  readonly kind: "esp";
  readonly key: string;
  readonly header: string;
  readonly iv: string;
  readonly plain: string;
  readonly packet: string;
  /** The high half of an extended sequence number. */
  readonly esnHigh?: number;
  /** For a cipher with ICV: the integrity row and its key. */
  readonly integrity?: string;
  readonly integrityKey?: string;
  readonly mode?: string;
}

export interface MacCase extends CaseBase {
  readonly kind: "mac";
  readonly key: string;
  readonly data: string;
  readonly icv: string;
}

/** `output` may be shorter than the PRF's: some originals print a part. */
export interface PrfCase extends CaseBase {
  readonly kind: "prf";
  readonly key: string;
  readonly data: string;
  readonly output: string;
}

export interface PrfPlusCase extends CaseBase {
  readonly kind: "prf+";
  readonly key: string;
  readonly seed: string;
  readonly output: string;
}

/** The hash that a PRF is made of; `row` is the PRF. */
export interface HashCase extends CaseBase {
  readonly kind: "hash";
  readonly data: string;
  readonly output: string;
}

/** RFC 7296 sections 2.14, 2.17 and 2.18; `row` is the PRF. Key material is one uncut prf+ output. */
export interface Ikev2KeysCase extends CaseBase {
  readonly kind: "ikev2-keys";
  readonly ni: string;
  readonly nr: string;
  readonly gIr: string;
  readonly gIrNew: string;
  readonly spiI: string;
  readonly spiR: string;
  readonly skeyseed: string;
  readonly keymat: string;
  readonly childKeymat: string;
  readonly childKeymatNewGroup: string;
  readonly skeyseedRekey: string;
}

/** RFC 2409 section 5: SKEYID and what follows from it; `row` is the PRF. */
export interface Ikev1KeysCase extends CaseBase {
  readonly kind: "ikev1-keys";
  /** What SKEYID is made of. */
  readonly auth: "psk" | "signature";
  /** Empty for signatures. */
  readonly psk: string;
  readonly ni: string;
  readonly nr: string;
  readonly gIr: string;
  readonly cookieI: string;
  readonly cookieR: string;
  readonly skeyid: string;
  readonly skeyidD: string;
  readonly skeyidA: string;
  readonly skeyidE: string;
}

/** The parameters of a MODP group. */
export interface ModpGroupCase extends CaseBase {
  readonly kind: "modp-group";
  readonly generator: number;
  readonly prime: string;
}

/** A whole exchange. */
export interface KeyExchangeCase extends CaseBase {
  readonly kind: "key-exchange";
  readonly privateI: string;
  readonly publicI: string;
  readonly privateR: string;
  readonly publicR: string;
  readonly shared: string;
}

/** One side of an exchange; with `valid: false` the public value must be refused and `shared` is empty. */
export interface SharedSecretCase extends CaseBase {
  readonly kind: "shared-secret";
  readonly private: string;
  readonly peerPublic: string;
  readonly shared: string;
}

export type VectorCase =
  | CipherCase
  | AeadCase
  | EspCase
  | MacCase
  | PrfCase
  | PrfPlusCase
  | HashCase
  | Ikev2KeysCase
  | ModpGroupCase
  | KeyExchangeCase
  | SharedSecretCase;

/** One message of a recorded session, header included. */
export interface SessionMessage {
  readonly from: "initiator" | "responder";
  readonly message: string;
  /** The payloads that are encrypted in it, without padding. */
  readonly plain?: string;
  /** IKEv1: the IV that it was encrypted under. */
  readonly iv?: string;
  /** The same message once more: it must not move the IV of IKEv1. */
  readonly repeated?: boolean;
}

/** A whole IKEv1 session; `row` is the PRF, `suite` the negotiated one in keywords. */
export interface Ikev1SessionCase extends CaseBase {
  readonly kind: "ikev1-session";
  readonly suite: string;
  /** The key of the cipher; empty where it follows from `psk` and `gIr`. */
  readonly key: string;
  /** With both of them known every HASH is checked; else empty. */
  readonly psk: string;
  readonly gIr: string;
  /** With both of them known: what follows for the first quick mode, each direction by the SPI of its receiver. */
  readonly child?: ChildKeysFigures;
  readonly messages: readonly SessionMessage[];
}

/** The keys of a child SA; `gIr` is empty without PFS. */
export interface ChildKeysFigures {
  readonly suite: string;
  readonly gIr: string;
  readonly encryptionI: string;
  readonly integrityI: string;
  readonly encryptionR: string;
  readonly integrityR: string;
}

/** A whole IKEv2 session with a pre-shared key; `row` is the PRF. Messages that were not recorded are left out. */
export interface Ikev2SessionCase extends CaseBase {
  readonly kind: "ikev2-session";
  readonly suite: string;
  readonly psk: string;
  readonly ni: string;
  readonly nr: string;
  readonly spiI: string;
  readonly spiR: string;
  readonly gIr: string;
  readonly skeyseed: string;
  readonly skD: string;
  readonly skAi: string;
  readonly skAr: string;
  readonly skEi: string;
  readonly skEr: string;
  readonly skPi: string;
  readonly skPr: string;
  /** Of the child of IKE_AUTH. */
  readonly child?: ChildKeysFigures;
  readonly messages: readonly SessionMessage[];
}

/** Cases above the algorithms: they run through the code of `ike/`, so not here. */
export type ExchangeCase = Ikev1KeysCase | Ikev1SessionCase | Ikev2SessionCase;

export type FileCase = VectorCase | ExchangeCase;

export interface VectorFile {
  readonly what: string;
  readonly sources: readonly string[];
  /** Present where no figures are published: the word that the vectors table prints. */
  readonly crossChecked?: string;
  readonly cases: readonly FileCase[];
}

/** Hex fields by kind; every one must be there. */
const HEX_FIELDS: { readonly [K in FileCase["kind"]]: readonly string[] } = {
  cipher: ["key", "iv", "plain", "cipher"],
  aead: ["key", "iv", "header", "plain", "sealed"],
  esp: ["key", "header", "iv", "plain", "packet"],
  mac: ["key", "data", "icv"],
  prf: ["key", "data", "output"],
  "prf+": ["key", "seed", "output"],
  hash: ["data", "output"],
  "ikev2-keys": [
    ...["ni", "nr", "gIr", "gIrNew", "spiI", "spiR"],
    ...["skeyseed", "keymat", "childKeymat", "childKeymatNewGroup", "skeyseedRekey"],
  ],
  "ikev1-keys": [...["psk", "ni", "nr", "gIr", "cookieI", "cookieR"], ...["skeyid", "skeyidD", "skeyidA", "skeyidE"]],
  "ikev1-session": ["key", "psk", "gIr"],
  "ikev2-session": [
    ...["psk", "ni", "nr", "spiI", "spiR", "gIr", "skeyseed"],
    ...["skD", "skAi", "skAr", "skEi", "skEr", "skPi", "skPr"],
  ],
  "modp-group": ["prime"],
  "key-exchange": ["privateI", "publicI", "privateR", "publicR", "shared"],
  "shared-secret": ["private", "peerPublic", "shared"],
};

/** Reads the JSON text of a vector file. Throws `RangeError` that names the file, the case and the field. */
export function parseVectorFile(name: string, json: string): VectorFile {
  const file = JSON.parse(json) as Partial<VectorFile>;
  if (typeof file.what !== "string" || !Array.isArray(file.sources) || !Array.isArray(file.cases))
    throw new RangeError(`${name}: a vector file has "what", "sources" and "cases"`);
  file.cases.forEach((entry: Record<string, unknown>, index) => {
    const problem = problemOf(entry);
    if (problem !== undefined) throw new RangeError(`${name}, case ${index + 1}: ${problem}`);
  });
  return file as VectorFile;
}

function problemOf(entry: Record<string, unknown>): string | undefined {
  const kind = entry.kind as FileCase["kind"];
  const fields = HEX_FIELDS[kind];
  if (fields === undefined) return `unknown kind ${String(entry.kind)}`;
  for (const field of ["row", "source"]) if (typeof entry[field] !== "string") return `"${field}" is missing`;
  const problem = hexProblem(entry, fields);
  if (problem !== undefined) return problem;
  if (kind === "ikev1-keys" && entry.auth !== "psk" && entry.auth !== "signature")
    return `"auth" is neither "psk" nor "signature"`;
  return kind === "ikev1-session" || kind === "ikev2-session" ? sessionProblem(entry) : undefined;
}

function sessionProblem({ suite, messages, child }: Record<string, unknown>): string | undefined {
  if (typeof suite !== "string") return `"suite" is missing`;
  if (!Array.isArray(messages) || messages.length === 0) return `"messages" is missing`;
  for (const message of messages as Record<string, unknown>[]) {
    if (message.from !== "initiator" && message.from !== "responder") return `"from" of a message is no role`;
    const problem = hexProblem(message, ["message", ...["plain", "iv"].filter((field) => field in message)]);
    if (problem !== undefined) return problem;
  }
  if (child === undefined) return undefined;
  const figures = child as Record<string, unknown>;
  if (typeof figures.suite !== "string") return `"suite" of the child is missing`;
  return hexProblem(figures, ["gIr", "encryptionI", "integrityI", "encryptionR", "integrityR"]);
}

function hexProblem(entry: Record<string, unknown>, fields: readonly string[]): string | undefined {
  for (const field of fields) {
    const value = entry[field];
    if (typeof value !== "string" || !/^([0-9a-f]{2})*$/.test(value)) return `"${field}" is not lower-case hex`;
  }
  return undefined;
}
