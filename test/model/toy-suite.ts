/**
 * Algorithms for the model: as small and as fast as can be, and as deterministic as real ones. They stand in proposals like
 * registry rows, under the numbers of the rows that they are made from, so that the protocol core runs unchanged.
 */
import type { Sealer } from "../../crypto/interfaces.js";
import { parseEspProposal, parseIkeProposal } from "../../crypto/registry/proposal.js";
import type {
  AeadRow,
  CreateAead,
  CreatePrf,
  EncryptionRow,
  KeyExchangeRow,
  PrfRow,
} from "../../crypto/registry/row.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import { type Secret, secret } from "../../crypto/secret.js";

const PRF_BYTES = 8;
const ICV_BYTES = 4;

/** FNV-1a, started anew for each half. */
function digest(seed: number, parts: readonly Uint8Array[]): number {
  let h = seed;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) h = Math.imul(h ^ part[i]!, 0x01000193);
    h = Math.imul(h ^ 0xff, 0x01000193);
  }
  return h >>> 0;
}

const toyPrf: CreatePrf = (row) => ({
  name: row.name,
  outputBytes: PRF_BYTES,
  keyBytes: PRF_BYTES,
  compute(key, ...data) {
    const out = new Uint8Array(PRF_BYTES);
    const view = new DataView(out.buffer);
    view.setUint32(0, digest(0x811c9dc5, [key, ...data]));
    view.setUint32(4, digest(0x2b3f1a77, [key, ...data]));
    return out;
  },
});

/** Encrypts nothing; its ICV is made with the key. */
const toyAead: CreateAead = (arena, row, _keyBits, key): Sealer => {
  const icv = (header: number, end: number) => digest(0x811c9dc5, [key.reveal(), arena.bytes.subarray(header, end)]);
  return {
    ivBytes: row.ivBytes,
    icvBytes: ICV_BYTES,
    blockBytes: 1,
    ivKind: "counter",
    sealAt(header, _headerLength, iv, length) {
      const end = iv + row.ivBytes + length;
      arena.view.setUint32(end, icv(header, end));
    },
    openAt(header, _headerLength, iv, length) {
      const end = iv + row.ivBytes + length;
      return arena.view.getUint32(end) === icv(header, end);
    },
    free() {},
  };
};

function toyEncryption(row: EncryptionRow): AeadRow {
  if (!row.aead) throw new Error(`${row.name} is no AEAD`);
  return { ...row, name: "TOY_AEAD", icvBytes: ICV_BYTES, implementations: { portable: toyAead } };
}

function toyGroupRow(row: KeyExchangeRow): KeyExchangeRow {
  return { ...row, name: "TOY_GROUP", privateBytes: 4, publicBytes: 4, implementations: {} };
}

const [ike] = [parseIkeProposal("aes128gcm16-prfsha256-x25519")];
const [esp] = [parseEspProposal("aes128gcm16-x25519")];

const encryption = ike.encryption.map((choice) => ({ ...choice, row: toyEncryption(choice.row) }));
const prf: readonly PrfRow[] = ike.prf.map((row) => ({
  ...row,
  name: "TOY_PRF",
  outputBytes: PRF_BYTES,
  keyBytes: PRF_BYTES,
  implementations: { portable: toyPrf },
}));
const keyExchange = ike.keyExchange.map(toyGroupRow);

export const TOY_IKE: IkeProposal = { ...ike, encryption, prf, keyExchange };
/** Without PFS, and with it. */
export const TOY_ESP: EspProposal = { ...esp, encryption, keyExchange: [] };
export const TOY_ESP_PFS: EspProposal = { ...esp, encryption, keyExchange };

/** Diffie-Hellman modulo the Mersenne prime 2^31 - 1. */
const PRIME = 2_147_483_647n;
const GENERATOR = 7n;

export function toyPublic(privateOctets: Secret): Uint8Array {
  return octetsOf(power(GENERATOR, exponentOf(privateOctets)));
}

export function toyShared(privateOctets: Secret, peerPublic: Uint8Array): Secret {
  const value = BigInt(new DataView(peerPublic.buffer, peerPublic.byteOffset).getUint32(0));
  return secret(octetsOf(power(value, exponentOf(privateOctets))));
}

function exponentOf(privateOctets: Secret): bigint {
  const octets = privateOctets.reveal();
  return BigInt(new DataView(octets.buffer, octets.byteOffset).getUint32(0)) % (PRIME - 1n);
}

function octetsOf(value: bigint): Uint8Array {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, Number(value));
  return octets;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % PRIME;
    square = (square * square) % PRIME;
  }
  return result;
}
