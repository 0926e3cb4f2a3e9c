/**
 * Which backend carries each row. At start-up `selectBackends` runs a known answer of every row through the backends in
 * order of speed and takes the first that gives it; a backend that fails or is absent is skipped and told. Before that
 * call, and in pure tests, it is `node`, then `portable`.
 */
import { encryptThenMac } from "./encrypt-then-mac.js";
import type { Arena, Cipher, Hash, KeyExchange, Prf, Sealer } from "./interfaces.js";
import { failureOf } from "./known-answers.js";
import { libcrypto } from "./openssl/libcrypto.js";
import { allRows } from "./registry/lookup.js";
import type {
  BackendName,
  EncryptionRow,
  Implementations,
  IntegrityRow,
  KeyExchangeRow,
  PrfRow,
  SealerKeys,
  SealerSpec,
  SequenceRow,
  TransformRow,
} from "./registry/row.js";
import { type Secret, secret } from "./secret.js";

/** Rows that do something, as against sequence numbers. */
export type WorkingRow = Exclude<TransformRow, SequenceRow>;

export interface BackendChoice {
  readonly row: WorkingRow;
  /** Absent: no backend of this host gives the known answer. */
  readonly backend?: BackendName;
  /** The faster ones that were passed over, and why. */
  readonly skipped: readonly { readonly backend: BackendName; readonly reason: string }[];
}

export interface BackendReport {
  /** "OpenSSL 3.0.19 …", or why there is none. */
  readonly openssl: string;
  readonly choices: readonly BackendChoice[];
}

/** Fastest first. */
export const BACKEND_ORDER: readonly BackendName[] = ["openssl", "node", "portable"];
const ORDER_UNTESTED: readonly BackendName[] = ["node", "portable", "openssl"];

const chosen = new Map<string, BackendName | undefined>();

/** Tests and chooses, for this thread. Takes some milliseconds; call it once per thread. */
export function selectBackends(): BackendReport {
  const choices = allRows()
    .filter((row) => row.kind !== "sequence")
    .map(chooseBackend);
  for (const { row, backend } of choices) chosen.set(keyOf(row), backend);
  return { openssl: opensslVersion(), choices };
}

/** The first backend, in order of speed, that gives the row's known answer. */
export function chooseBackend(row: WorkingRow): BackendChoice {
  const skipped: { backend: BackendName; reason: string }[] = [];
  for (const backend of BACKEND_ORDER) {
    if (row.implementations[backend] === undefined) continue;
    const reason = failureOf(row, backend);
    if (reason === undefined) return { row, backend, skipped };
    skipped.push({ backend, reason });
  }
  return { row, skipped };
}

/** The backends that claim a row, fastest first. */
export function backendsOf(row: WorkingRow): readonly BackendName[] {
  return BACKEND_ORDER.filter((backend) => row.implementations[backend] !== undefined);
}

/** Octets of key material that each direction takes: the encryption part includes the salt. */
export function keyLengths(spec: SealerSpec): { readonly encryptionBytes: number; readonly integrityBytes: number } {
  return {
    encryptionBytes: spec.keyBits / 8 + spec.encryption.saltBytes,
    integrityBytes: spec.integrity?.keyBytes ?? 0,
  };
}

/**
 * A sealer by the chosen backends, or by the named one. Throws `RangeError` where keys do not fit the spec, where the spec
 * lacks (or has too much) integrity, and where a backend does not carry the row.
 */
export function createSealer(arena: Arena, spec: SealerSpec, keys: SealerKeys, backend?: BackendName): Sealer {
  const { encryption, keyBits, integrity } = spec;
  checkSpec(spec, keys);
  if (encryption.aead)
    return pick(encryption, encryption.implementations, backend)(arena, encryption, keyBits, keys.encryption);
  if (integrity === undefined) throw new RangeError(`${encryption.name} needs an integrity algorithm`);
  const cipher = pick(encryption, encryption.implementations, backend)(arena, encryption, keyBits, keys.encryption);
  try {
    return encryptThenMac(
      cipher,
      pick(integrity, integrity.implementations, backend)(arena, integrity, keys.integrity),
    );
  } catch (error) {
    cipher.free();
    throw error;
  }
}

/** A cipher without integrity. Throws `RangeError` for an AEAD, a wrong key length, a backend that does not carry the row. */
export function createCipher(
  arena: Arena,
  row: EncryptionRow,
  keyBits: number,
  key: Secret,
  backend?: BackendName,
): Cipher {
  if (row.aead) throw new RangeError(`${row.name} is an AEAD`);
  if (!row.keyBits.includes(keyBits) || key.length !== keyBits / 8 + row.saltBytes)
    throw new RangeError(`${row.name}: key of ${key.length} octets for ${keyBits} bits`);
  return pick(row, row.implementations, backend)(arena, row, keyBits, key);
}

export function createPrf(row: PrfRow, backend?: BackendName): Prf {
  return pick(row, row.implementations, backend)(row);
}

/** The hash behind a PRF of IKEv1. Throws `RangeError` for a PRF that is not made of a hash. */
export function createHash(row: PrfRow, backend?: BackendName): Hash {
  if (row.hash === undefined) throw new RangeError(`${row.name} is not made of a hash`);
  return pick(row, row.hash, backend)(row);
}

export function createKeyExchange(row: KeyExchangeRow, backend?: BackendName): KeyExchange {
  return pick(row, row.implementations, backend)(row);
}

/** The backend that a row uses now. Throws `RangeError` where the start-up test left none. */
export function backendOf(row: WorkingRow): BackendName {
  const key = keyOf(row);
  const backend = chosen.has(key)
    ? chosen.get(key)
    : ORDER_UNTESTED.find((candidate) => row.implementations[candidate] !== undefined);
  if (backend === undefined) throw new RangeError(`${row.name}: no backend of this host passed the start-up test`);
  return backend;
}

/** No keys at all, for the integrity of an AEAD. */
export const NO_KEY = secret(new Uint8Array(0));

function pick<T>(row: WorkingRow, implementations: Implementations<T>, backend: BackendName = backendOf(row)): T {
  const create = implementations[backend];
  if (create === undefined) throw new RangeError(`${row.name} has no backend ${backend}`);
  return create;
}

function checkSpec(spec: SealerSpec, keys: SealerKeys): void {
  const { encryption, keyBits, integrity } = spec;
  if (!encryption.keyBits.includes(keyBits))
    throw new RangeError(`${encryption.name}: no key of ${keyBits} bits, only ${encryption.keyBits.join(", ")}`);
  if (encryption.aead && integrity !== undefined)
    throw new RangeError(`${encryption.name} is an AEAD, it takes no ${integrity.name}`);
  const { encryptionBytes, integrityBytes } = keyLengths(spec);
  if (keys.encryption.length !== encryptionBytes)
    throw new RangeError(`${encryption.name}: key of ${keys.encryption.length} octets, ${encryptionBytes} expected`);
  if (keys.integrity.length !== integrityBytes)
    throw new RangeError(
      `${(integrity ?? encryption).name}: integrity key of ${keys.integrity.length} octets, ${integrityBytes} expected`,
    );
}

function keyOf(row: EncryptionRow | IntegrityRow | PrfRow | KeyExchangeRow): string {
  return `${row.kind} ${row.name}`;
}

function opensslVersion(): string {
  try {
    return libcrypto().version;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
