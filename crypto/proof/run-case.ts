/**
 * Runs one case of a vector file through one backend of a row. The same code proves the algorithms in the tests, in
 * `causeway vectors`, and at start-up (`known-answers.ts`).
 */
import { concat, equal, hex, octets } from "../bytes.js";
import { encryptThenMac } from "../encrypt-then-mac.js";
import type { Prf, Sealer } from "../interfaces.js";
import { toNumber, toOctets } from "../key-exchange-values.js";
import { messageArena } from "../message-arena.js";
import { prfPlus } from "../prf-plus.js";
import type {
  BackendName,
  EncryptionRow,
  Implementations,
  IntegrityRow,
  KeyExchangeRow,
  PrfRow,
  TransformRow,
} from "../registry/row.js";
import { secret } from "../secret.js";
import type {
  AeadCase,
  CipherCase,
  EspCase,
  Ikev2KeysCase,
  KeyExchangeCase,
  MacCase,
  ModpGroupCase,
  SharedSecretCase,
  VectorCase,
} from "./vector-file.js";

/**
 * Undefined when the backend gives the figures, or refuses those that are not valid; else what it did instead. `integrityRow`
 * finds the second row of an ESP case. Never throws: what a backend throws is the answer.
 */
export function runCase(
  row: TransformRow,
  backend: BackendName,
  vector: VectorCase,
  integrityRow: (name: string) => IntegrityRow | undefined = () => undefined,
): string | undefined {
  try {
    switch (vector.kind) {
      case "cipher":
        return runCipher(kind(row, "encryption"), backend, vector);
      case "aead":
        return runAead(kind(row, "encryption"), backend, vector);
      case "esp": {
        const integrity = vector.integrity === undefined ? undefined : integrityRow(vector.integrity);
        return runEsp(kind(row, "encryption"), integrity, backend, vector);
      }
      case "mac":
        return runMac(kind(row, "integrity"), backend, vector);
      case "prf": {
        const output = prfOf(row, backend).compute(octets(vector.key), octets(vector.data));
        const difference = differs("output", output.subarray(0, vector.output.length / 2), vector.output);
        if (vector.valid !== false) return difference;
        return difference === undefined ? "a wrong output was given" : undefined;
      }
      case "prf+": {
        const length = vector.output.length / 2;
        const output = prfPlus(prfOf(row, backend), octets(vector.key), octets(vector.seed), length);
        return differs("output", output, vector.output);
      }
      case "hash": {
        const prf = kind(row, "prf");
        if (prf.hash === undefined) return `${row.name} is not made of a hash`;
        return differs("digest", maker(prf, prf.hash, backend)(prf).digest(octets(vector.data)), vector.output);
      }
      case "ikev2-keys":
        return runIkev2Keys(prfOf(row, backend), vector);
      case "modp-group":
        return runModpGroup(kind(row, "keyExchange"), backend, vector);
      case "key-exchange":
        return runKeyExchange(kind(row, "keyExchange"), backend, vector);
      case "shared-secret":
        return runSharedSecret(kind(row, "keyExchange"), backend, vector);
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function runCipher(row: EncryptionRow, backend: BackendName, vector: CipherCase): string | undefined {
  if (row.aead) return `${row.name} is an AEAD`;
  const [key, iv, plain, expected] = [vector.key, vector.iv, vector.plain, vector.cipher].map(octets) as Four;
  const { arena, start } = messageArena(iv.length + plain.length);
  const text = start + iv.length;
  const cipher = maker(row, row.implementations, backend)(arena, row, keyBits(row, key), secret(key));
  try {
    arena.bytes.set(concat(iv, plain), start);
    cipher.encryptAt(start, text, plain.length);
    const encrypted = differs("ciphertext", arena.bytes.slice(text, text + plain.length), vector.cipher);
    if (encrypted !== undefined) return encrypted;
    arena.bytes.set(concat(iv, expected), start);
    cipher.decryptAt(start, text, plain.length);
    return differs("plaintext", arena.bytes.slice(text, text + plain.length), vector.plain);
  } finally {
    cipher.free();
  }
}

function runAead(row: EncryptionRow, backend: BackendName, vector: AeadCase): string | undefined {
  if (!row.aead) return `${row.name} is no AEAD`;
  const [key, iv, header, plain] = [vector.key, vector.iv, vector.header, vector.plain].map(octets) as Four;
  const sealer = maker(row, row.implementations, backend)(messageArena(0).arena, row, keyBits(row, key), secret(key));
  return runSealer(sealer, header, iv, plain, octets(vector.sealed), -1, vector.valid !== false);
}

function runEsp(
  row: EncryptionRow,
  integrity: IntegrityRow | undefined,
  backend: BackendName,
  vector: EspCase,
): string | undefined {
  const [key, header, iv, plain] = [vector.key, vector.header, vector.iv, vector.plain].map(octets) as Four;
  const packet = octets(vector.packet);
  const frame = concat(header, iv);
  if (!equal(packet.subarray(0, frame.length), frame)) return "the packet does not begin with header and IV";
  const sealed = packet.subarray(frame.length);
  if (!row.aead && integrity === undefined)
    return runCipher(row, backend, { ...vector, kind: "cipher", cipher: hex(sealed) });
  const { arena } = messageArena(0);
  const bits = keyBits(row, key);
  let sealer: Sealer;
  if (row.aead) sealer = maker(row, row.implementations, backend)(arena, row, bits, secret(key));
  else {
    const cipher = maker(row, row.implementations, backend)(arena, row, bits, secret(key));
    const macKey = secret(octets(vector.integrityKey ?? ""));
    sealer = encryptThenMac(cipher, maker(integrity!, integrity!.implementations, backend)(arena, integrity!, macKey));
  }
  return runSealer(sealer, header, iv, plain, sealed, vector.esnHigh ?? -1, vector.valid !== false);
}

/** Seals and opens; a valid case must also be refused when one bit of its ICV is changed. Frees the sealer. */
function runSealer(
  sealer: Sealer,
  header: Uint8Array,
  iv: Uint8Array,
  plain: Uint8Array,
  sealed: Uint8Array,
  esnHigh: number,
  valid: boolean,
): string | undefined {
  try {
    const length = sealed.length - sealer.icvBytes;
    const { arena, start } = messageArena(header.length + iv.length + sealed.length);
    const ivAt = start + header.length;
    const text = ivAt + iv.length;
    const open = (): boolean => sealer.openAt(start, header.length, ivAt, length, esnHigh);

    arena.bytes.set(concat(header, iv, sealed), start);
    const opened = open();
    if (!valid) return opened ? "a forgery was opened" : undefined;
    if (!opened) return "the ICV was refused";
    const decrypted = differs("plaintext", arena.bytes.slice(text, text + length), hex(plain));
    if (decrypted !== undefined) return decrypted;

    sealer.sealAt(start, header.length, ivAt, length, esnHigh);
    const produced = arena.bytes.slice(text, text + sealed.length);
    const encrypted = differs("ciphertext and ICV", produced, hex(sealed));
    if (encrypted !== undefined) return encrypted;

    arena.bytes[text + sealed.length - 1]! ^= 1;
    return open() ? "an altered ICV was accepted" : undefined;
  } finally {
    sealer.free();
  }
}

function runMac(row: IntegrityRow, backend: BackendName, vector: MacCase): string | undefined {
  const data = octets(vector.data);
  const icv = octets(vector.icv);
  const { arena, start } = messageArena(data.length + row.icvBytes);
  const end = start + data.length;
  const mac = maker(row, row.implementations, backend)(arena, row, secret(octets(vector.key)));
  try {
    arena.bytes.set(concat(data, icv), start);
    const verified = mac.verifyAt(start, data.length, -1, end);
    if (vector.valid === false) return verified ? "a forgery was accepted" : undefined;
    if (!verified) return "the ICV was refused";
    mac.signAt(start, data.length, -1, end);
    return differs("ICV", arena.bytes.slice(end, end + row.icvBytes), vector.icv);
  } finally {
    mac.free();
  }
}

/** RFC 7296 sections 2.14 (SKEYSEED, SK_*), 2.17 (KEYMAT of children) and 2.18 (rekeyed IKE SA). */
function runIkev2Keys(prf: Prf, vector: Ikev2KeysCase): string | undefined {
  const nonces = octets(vector.ni + vector.nr);
  const part = prf.skeyseedNonceBytes;
  const seedKey = concat(octets(vector.ni).subarray(0, part), octets(vector.nr).subarray(0, part));
  const newSecret = octets(vector.gIrNew);
  const skeyseed = prf.compute(seedKey, octets(vector.gIr));
  const keymat = prfPlus(prf, skeyseed, concat(nonces, octets(vector.spiI + vector.spiR)), vector.keymat.length / 2);
  const skD = keymat.subarray(0, prf.keyBytes);
  const child = prfPlus(prf, skD, nonces, vector.childKeymat.length / 2);
  const childNew = prfPlus(prf, skD, concat(newSecret, nonces), vector.childKeymatNewGroup.length / 2);
  return (
    differs("SKEYSEED", skeyseed, vector.skeyseed) ??
    differs("prf+ (SKEYSEED)", keymat, vector.keymat) ??
    differs("KEYMAT", child, vector.childKeymat) ??
    differs("KEYMAT with a new group", childNew, vector.childKeymatNewGroup) ??
    differs("SKEYSEED of a rekey", prf.compute(skD, newSecret, nonces), vector.skeyseedRekey)
  );
}

/** The backend's g^x for one x is that of the published parameters. */
function runModpGroup(row: KeyExchangeRow, backend: BackendName, vector: ModpGroupCase): string | undefined {
  const method = maker(row, row.implementations, backend)(row);
  const prime = toNumber(octets(vector.prime));
  const bits = 14; // small, so that the comparison is plain multiplication; 2^(2^14) wraps around a prime of 8192 bits
  const exponent = new Uint8Array(row.privateBytes);
  new DataView(exponent.buffer).setUint16(exponent.length - 2, 1 << bits);
  let expected = BigInt(vector.generator);
  for (let i = 0; i < bits; i++) expected = (expected * expected) % prime;
  return differs("g^x", method.publicValue(secret(exponent)), hex(toOctets(expected, vector.prime.length / 2)));
}

function runKeyExchange(row: KeyExchangeRow, backend: BackendName, vector: KeyExchangeCase): string | undefined {
  const method = maker(row, row.implementations, backend)(row);
  const privateI = secret(octets(vector.privateI));
  const privateR = secret(octets(vector.privateR));
  return (
    differs("g^i", method.publicValue(privateI), vector.publicI) ??
    differs("g^r", method.publicValue(privateR), vector.publicR) ??
    differs("g^ir", method.sharedSecret(privateI, octets(vector.publicR)).reveal(), vector.shared) ??
    differs("g^ri", method.sharedSecret(privateR, octets(vector.publicI)).reveal(), vector.shared)
  );
}

function runSharedSecret(row: KeyExchangeRow, backend: BackendName, vector: SharedSecretCase): string | undefined {
  const method = maker(row, row.implementations, backend)(row);
  const privateOctets = secret(octets(vector.private));
  const peerPublic = octets(vector.peerPublic);
  if (vector.valid !== false)
    return differs("shared secret", method.sharedSecret(privateOctets, peerPublic).reveal(), vector.shared);
  try {
    method.sharedSecret(privateOctets, peerPublic);
  } catch (error) {
    return error instanceof RangeError ? undefined : `refused by ${String(error)} instead of a RangeError`;
  }
  return "an invalid public value was accepted";
}

type Four = [Uint8Array, Uint8Array, Uint8Array, Uint8Array];

function prfOf(row: TransformRow, backend: BackendName): Prf {
  const prf: PrfRow = kind(row, "prf");
  return maker(prf, prf.implementations, backend)(prf);
}

function kind<K extends TransformRow["kind"]>(row: TransformRow, wanted: K): Extract<TransformRow, { kind: K }> {
  if (row.kind !== wanted) throw new RangeError(`${row.name} is no ${wanted} algorithm`);
  return row as Extract<TransformRow, { kind: K }>;
}

function maker<T>(row: TransformRow, implementations: Implementations<T>, backend: BackendName): T {
  const create = implementations[backend];
  if (create === undefined) throw new RangeError(`${row.name} has no backend ${backend}`);
  return create;
}

function keyBits(row: EncryptionRow, key: Uint8Array): number {
  return 8 * (key.length - row.saltBytes);
}

function differs(what: string, actual: Uint8Array, expected: string): string | undefined {
  return hex(actual) === expected ? undefined : `${what} differs from the published one`;
}
