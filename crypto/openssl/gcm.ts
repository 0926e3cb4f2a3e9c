/**
 * ESP packets with AES-GCM and a whole ICV in two native calls instead of five: beyond the cipher itself, calls are most of what a packet costs.
 *
 * OpenSSL seals and opens a TLS record at once (EVP_CTRL_AEAD_TLS1_AAD of EVP_EncryptInit(3)): explicit IV, text and tag stand one behind the
 * other as in ESP, under the nonce of RFC 5288, which is that of RFC 4106. What differs is the associated data, which are 13 octets there. GCM
 * pads them to a block with zeros, so that the 8 or 12 octets of ESP with zeros behind them make the same block; only the lengths in the last
 * block of GHASH tell them apart. GHASH is linear (SP 800-38D section 6.4), hence
 *
 *     tag of the record XOR tag of the ESP packet = (lengths of the one XOR lengths of the other) * H
 *
 * is a constant of the key. It is found once, by sealing nothing in both ways, and is as secret as the key.
 */
import type { Arena, Sealer } from "../interfaces.js";
import type { CreateAead } from "../registry/row.js";
import type { Secret } from "../secret.js";
import { evpAead } from "./aead.js";
import { type ContextPair, contextPair, failed } from "./context.js";
import { libcrypto } from "./libcrypto.js";
import { paramListBytes, writeParamList } from "./params.js";

const ESP_HEADER_BYTES = 8;
const SALT_BYTES = 4;
const IV_BYTES = 8;
const NONCE_BYTES = SALT_BYTES + IV_BYTES;
const TAG_BYTES = 16;
/** What is authenticated, zeros, and in the last two octets the length of the record with IV and tag. */
const AAD_BYTES = 13;
/** EVP takes so much off that length and authenticates the rest: zero, or with ESN the octet that stands there. */
const TAKEN_OFF_SEALING = IV_BYTES;
const TAKEN_OFF_OPENING = IV_BYTES + TAG_BYTES;

/** Records in the arena of one thread, for every SA. Offsets but for contexts. */
interface Records {
  /**
   * The packet at `header` becomes a record in place: as an ESP packet, but for its tag. `follows`: the IV is the one behind that of
   * the record before, which EVP makes by itself; otherwise it is set.
   */
  seal(
    context: number,
    salt: number,
    header: number,
    iv: number,
    length: number,
    esnHigh: number,
    follows: boolean,
  ): void;
  /** Prepares a new context to open. */
  prepare(context: number, salt: number): void;
  /** False: forged. */
  open(context: number, header: number, iv: number, length: number, esnHigh: number): boolean;
  /** Room for an ESP packet without text. */
  readonly packet: number;
}

const recordsOf = new WeakMap<Arena, Records>();

/** `name` is OpenSSL's; `*` stands for the key length. */
export function evpGcm(name: string): CreateAead {
  const createStepwise = evpAead(name);
  return (arena, row, keyBits, key) => {
    const stepwise = () => createStepwise(arena, row, keyBits, key);
    if (row.icvBytes !== TAG_BYTES) return stepwise(); // a record has a whole tag
    const cipher = name.replace("*", String(keyBits));
    return atOnce(arena, stepwise, () => contextPair(arena, cipher, key, keyBits / 8), saltOf(key, keyBits));
  };
}

/** What `createStepwise` makes serves what is no ESP packet. */
function atOnce(arena: Arena, createStepwise: () => Sealer, createContexts: () => ContextPair, salt: number): Sealer {
  const { view } = arena;
  const records = recordsIn(arena);
  const contexts = createContexts();
  let stepwise: Sealer | undefined;
  let opening = 0;
  let freed = false;
  // The IV that the context makes for the next record; before the first one there is none.
  let made = false;
  let nextHigh = 0;
  let nextLow = 0;
  // The constant of the key, without ESN or with it. No array: there are many SAs.
  let [a, b, c, d] = [0, 0, 0, 0];
  let isOf: "nothing" | "short" | "extended" = "nothing";

  function others(): Sealer {
    if (stepwise === undefined && !freed) stepwise = createStepwise();
    if (stepwise === undefined) throw new Error("AES-GCM: used after free");
    return stepwise;
  }

  function findConstant(esnHigh: number): void {
    const [twin, pair] = [createStepwise(), createContexts()];
    try {
      const difference = differenceOf(arena, twin, pair.encrypt(), salt, esnHigh);
      [a, b, c, d] = difference;
      isOf = esnHigh < 0 ? "short" : "extended";
    } finally {
      twin.free();
      pair.free();
    }
  }

  /** Turns the tag of a record into that of an ESP packet, or back. The view throws `RangeError` where it ends outside the arena. */
  function turn(tag: number, esnHigh: number): void {
    if (isOf !== (esnHigh < 0 ? "short" : "extended")) findConstant(esnHigh);
    view.setInt32(tag, view.getInt32(tag) ^ a);
    view.setInt32(tag + 4, view.getInt32(tag + 4) ^ b);
    view.setInt32(tag + 8, view.getInt32(tag + 8) ^ c);
    view.setInt32(tag + 12, view.getInt32(tag + 12) ^ d);
  }

  return {
    ivBytes: IV_BYTES,
    icvBytes: TAG_BYTES,
    blockBytes: 1,
    ivKind: "counter",
    sealAt(header, headerLength, iv, length, esnHigh) {
      if (headerLength !== ESP_HEADER_BYTES) {
        others().sealAt(header, headerLength, iv, length, esnHigh);
        return;
      }
      const high = view.getInt32(iv);
      const low = view.getInt32(iv + 4);
      const follows = made && low === nextLow && high === nextHigh;
      made = false; // until it is done
      records.seal(contexts.encrypt(), salt, header, iv, length, esnHigh, follows);
      if (view.getInt32(iv) !== high || view.getInt32(iv + 4) !== low) throw new Error("AES-GCM: another IV was used");
      nextLow = (low + 1) | 0;
      nextHigh = nextLow === 0 ? (high + 1) | 0 : high;
      made = true;
      turn(iv + IV_BYTES + length, esnHigh);
    },
    openAt(header, headerLength, iv, length, esnHigh) {
      if (headerLength !== ESP_HEADER_BYTES) return others().openAt(header, headerLength, iv, length, esnHigh);
      turn(iv + IV_BYTES + length, esnHigh);
      if (opening === 0) {
        const context = contexts.decrypt();
        records.prepare(context, salt);
        opening = context;
      }
      return records.open(opening, header, iv, length, esnHigh);
    },
    free() {
      freed = true;
      stepwise?.free();
      contexts.free();
      opening = 0;
      [a, b, c, d] = [0, 0, 0, 0];
    },
  };
}

/** The first four octets behind the cipher key, RFC 4106 section 8.1. */
function saltOf(key: Secret, keyBits: number): number {
  const octets = key.reveal();
  return new DataView(octets.buffer, octets.byteOffset).getInt32(keyBits / 8);
}

type Block = readonly [number, number, number, number];

/** What tells the tag of a record from that of an ESP packet. IV zero is of no packet that is sent: sequence numbers begin with 1. */
function differenceOf(arena: Arena, stepwise: Sealer, context: number, salt: number, esnHigh: number): Block {
  const { bytes, view } = arena;
  const { packet, seal } = recordsIn(arena);
  const iv = packet + ESP_HEADER_BYTES;
  const tag = iv + IV_BYTES;
  const word = (i: number) => view.getInt32(tag + 4 * i);
  const read = (): Block => [word(0), word(1), word(2), word(3)];
  bytes.fill(0, packet, tag + TAG_BYTES);
  stepwise.sealAt(packet, ESP_HEADER_BYTES, iv, 0, esnHigh);
  const esp = read();
  seal(context, salt, packet, iv, 0, esnHigh, false);
  const record = read();
  bytes.fill(0, packet, tag + TAG_BYTES);
  return [esp[0] ^ record[0], esp[1] ^ record[1], esp[2] ^ record[2], esp[3] ^ record[3]];
}

function recordsIn(arena: Arena): Records {
  let records = recordsOf.get(arena);
  if (records === undefined) {
    records = createRecords(arena);
    recordsOf.set(arena, records);
  }
  return records;
}

function createRecords(arena: Arena): Records {
  const ssl = libcrypto();
  const { view } = arena;
  const nonce = arena.alloc(NONCE_BYTES);
  const aad = arena.alloc(AAD_BYTES);
  // A length of -1: the whole nonce, not only its first octets.
  const whole = { tlsivfixed: { at: nonce, length: -1 }, tlsaad: { at: aad, length: AAD_BYTES } };
  const { tlsaad } = whole;
  // Variables and no fields: V8 copies an address that stands in a field to the heap each time.
  const nonceAndAad = writeParamList(arena, arena.alloc(paramListBytes(whole)), whole);
  const aadAlone = writeParamList(arena, arena.alloc(paramListBytes({ tlsaad })), { tlsaad });

  /** SPI and sequence number, with ESN the high half between them (RFC 4106 section 5). */
  function writeAad(header: number, esnHigh: number, takenOff: number): void {
    view.setInt32(aad, view.getInt32(header));
    view.setInt32(aad + 4, esnHigh < 0 ? view.getInt32(header + 4) : esnHigh);
    view.setInt32(aad + 8, esnHigh < 0 ? 0 : view.getInt32(header + 4));
    view.setUint8(aad + AAD_BYTES - 1, takenOff);
  }

  return {
    packet: arena.alloc(ESP_HEADER_BYTES + IV_BYTES + TAG_BYTES),
    seal(context, salt, header, iv, length, esnHigh, follows) {
      const octets = IV_BYTES + length + TAG_BYTES;
      const address = arena.address(iv, octets);
      if (!follows) {
        view.setInt32(nonce, salt);
        view.setInt32(nonce + SALT_BYTES, view.getInt32(iv));
        view.setInt32(nonce + SALT_BYTES + 4, view.getInt32(iv + 4));
      }
      writeAad(header, esnHigh, TAKEN_OFF_SEALING);
      // Two calls, because a choice between two addresses would be copied to the heap as well.
      const done = follows
        ? ssl.EVP_CIPHER_CTX_set_params(context, aadAlone)
        : ssl.EVP_CIPHER_CTX_set_params(context, nonceAndAad);
      if (done !== 1) failed(ssl, "nonce and associated data");
      if (ssl.EVP_Cipher(context, address, address, octets) <= 0) failed(ssl, "record");
    },
    prepare(context, salt) {
      view.setInt32(nonce, salt);
      view.setUint16(aad + AAD_BYTES - 2, TAKEN_OFF_OPENING); // any length that is none is refused
      if (ssl.EVP_CIPHER_CTX_set_params(context, nonceAndAad) !== 1) failed(ssl, "salt");
    },
    open(context, header, iv, length, esnHigh) {
      const octets = IV_BYTES + length + TAG_BYTES;
      const address = arena.address(iv, octets);
      writeAad(header, esnHigh, TAKEN_OFF_OPENING);
      if (ssl.EVP_CIPHER_CTX_set_params(context, aadAlone) !== 1) failed(ssl, "associated data");
      if (ssl.EVP_Cipher(context, address, address, octets) > 0) return true;
      ssl.ERR_clear_error();
      return false;
    },
  };
}
