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
import { contextPair, failed } from "./context.js";
import { type Libcrypto, libcrypto } from "./libcrypto.js";
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

/** What the calls of one thread share, in the arena; each packet writes it anew. */
interface RecordInputs {
  readonly nonce: number;
  readonly aad: number;
  /** Parameters of EVP_CIPHER_CTX_set_params: nonce and associated data; the latter alone. */
  readonly sealing: number;
  readonly opening: number;
  /** An ESP packet without text. */
  readonly packet: number;
}

const inputsOf = new WeakMap<Arena, RecordInputs>();

/** `name` is OpenSSL's; `*` stands for the key length. */
export function evpGcm(name: string): CreateAead {
  const createStepwise = evpAead(name);
  return (arena, row, keyBits, key) => {
    const stepwise = createStepwise(arena, row, keyBits, key);
    if (row.icvBytes !== TAG_BYTES) return stepwise; // a record has a whole tag
    const contexts = () => contextPair(arena, name.replace("*", String(keyBits)), key, keyBits / 8);
    const salt = saltOf(key, keyBits);

    function difference(esnHigh: number): Int32Array {
      const twin = createStepwise(arena, row, keyBits, key);
      const pair = contexts();
      try {
        return differenceOf(arena, twin, pair.encrypt(), salt, esnHigh);
      } finally {
        twin.free();
        pair.free();
      }
    }
    return atOnce(arena, stepwise, contexts(), salt, difference);
  };
}

/** `stepwise` serves what is no ESP packet, and is owned as `contexts` is. */
function atOnce(
  arena: Arena,
  stepwise: Sealer,
  contexts: ReturnType<typeof contextPair>,
  salt: number,
  difference: (esnHigh: number) => Int32Array,
): Sealer {
  const ssl = libcrypto();
  const { view } = arena;
  const inputs = recordInputs(arena);
  /** The constants without and with ESN, as soon as one is needed. */
  let short: Int32Array | undefined;
  let long: Int32Array | undefined;
  let opening = 0;

  /** Turns the tag of a record into that of an ESP packet, or back. */
  function turn(tag: number, esnHigh: number): void {
    if (esnHigh < 0) short ??= difference(-1);
    else long ??= difference(0);
    const constant = (esnHigh < 0 ? short : long)!;
    for (let i = 0; i < 4; i++) view.setInt32(tag + 4 * i, view.getInt32(tag + 4 * i) ^ constant[i]!);
  }

  /** With the salt in it; takes associated data along, which stand in their place. */
  function contextToOpen(): number {
    const context = contexts.decrypt();
    view.setInt32(inputs.nonce, salt);
    if (ssl.EVP_CIPHER_CTX_set_params(context, inputs.sealing) !== 1) failed(ssl, "salt");
    return context;
  }

  return {
    ...stepwise,
    sealAt(header, headerLength, iv, length, esnHigh) {
      if (headerLength !== ESP_HEADER_BYTES) {
        stepwise.sealAt(header, headerLength, iv, length, esnHigh);
        return;
      }
      sealRecord(ssl, arena, inputs, contexts.encrypt(), salt, header, iv, length, esnHigh);
      turn(iv + IV_BYTES + length, esnHigh);
    },
    openAt(header, headerLength, iv, length, esnHigh) {
      if (headerLength !== ESP_HEADER_BYTES) return stepwise.openAt(header, headerLength, iv, length, esnHigh);
      const octets = IV_BYTES + length + TAG_BYTES;
      const address = arena.address(iv, octets);
      turn(iv + IV_BYTES + length, esnHigh);
      writeAad(view, inputs.aad, header, esnHigh, TAKEN_OFF_OPENING);
      if (opening === 0) opening = contextToOpen();
      if (ssl.EVP_CIPHER_CTX_set_params(opening, inputs.opening) !== 1) failed(ssl, "associated data");
      if (ssl.EVP_Cipher(opening, address, address, octets) > 0) return true;
      ssl.ERR_clear_error();
      return false;
    },
    free() {
      stepwise.free();
      contexts.free();
      opening = 0;
      short?.fill(0);
      long?.fill(0);
    },
  };
}

/** The packet at `header` becomes a record in place: as an ESP packet, but for its tag. */
function sealRecord(
  ssl: Libcrypto,
  arena: Arena,
  inputs: RecordInputs,
  context: number,
  salt: number,
  header: number,
  iv: number,
  length: number,
  esnHigh: number,
): void {
  const { view } = arena;
  const { nonce, aad, sealing } = inputs;
  const octets = IV_BYTES + length + TAG_BYTES;
  const address = arena.address(iv, octets);
  view.setInt32(nonce, salt);
  view.setInt32(nonce + SALT_BYTES, view.getInt32(iv));
  view.setInt32(nonce + SALT_BYTES + 4, view.getInt32(iv + 4));
  writeAad(view, aad, header, esnHigh, TAKEN_OFF_SEALING);
  if (ssl.EVP_CIPHER_CTX_set_params(context, sealing) !== 1) failed(ssl, "nonce and associated data");
  if (ssl.EVP_Cipher(context, address, address, octets) <= 0) failed(ssl, "record");
}

/** SPI and sequence number, with ESN the high half between them (RFC 4106 section 5). */
function writeAad(view: DataView, aad: number, header: number, esnHigh: number, takenOff: number): void {
  view.setInt32(aad, view.getInt32(header));
  view.setInt32(aad + 4, esnHigh < 0 ? view.getInt32(header + 4) : esnHigh);
  view.setInt32(aad + 8, esnHigh < 0 ? 0 : view.getInt32(header + 4));
  view.setUint8(aad + AAD_BYTES - 1, takenOff);
}

/** The first four octets behind the cipher key, RFC 4106 section 8.1. */
function saltOf(key: Secret, keyBits: number): number {
  const octets = key.reveal();
  return new DataView(octets.buffer, octets.byteOffset).getInt32(keyBits / 8);
}

/** What tells the tag of a record from that of an ESP packet. IV zero is of no packet that is sent: sequence numbers begin with 1. */
function differenceOf(arena: Arena, stepwise: Sealer, context: number, salt: number, esnHigh: number): Int32Array {
  const { bytes, view } = arena;
  const inputs = recordInputs(arena);
  const { packet } = inputs;
  const iv = packet + ESP_HEADER_BYTES;
  const tag = iv + IV_BYTES;
  const constant = new Int32Array(TAG_BYTES / 4);
  bytes.fill(0, packet, tag + TAG_BYTES);
  stepwise.sealAt(packet, ESP_HEADER_BYTES, iv, 0, esnHigh);
  for (let i = 0; i < constant.length; i++) constant[i] = view.getInt32(tag + 4 * i);
  sealRecord(libcrypto(), arena, inputs, context, salt, packet, iv, 0, esnHigh);
  for (let i = 0; i < constant.length; i++) constant[i]! ^= view.getInt32(tag + 4 * i);
  bytes.fill(0, packet, tag + TAG_BYTES);
  return constant;
}

function recordInputs(arena: Arena): RecordInputs {
  let inputs = inputsOf.get(arena);
  if (inputs === undefined) {
    const nonce = arena.alloc(NONCE_BYTES);
    const aad = arena.alloc(AAD_BYTES);
    // A length of -1: the whole nonce, not only its first octets.
    const tlsivfixed = { at: nonce, length: -1 };
    const tlsaad = { at: aad, length: AAD_BYTES };
    inputs = {
      nonce,
      aad,
      sealing: writeParamList(arena, arena.alloc(paramListBytes({ tlsivfixed, tlsaad })), { tlsivfixed, tlsaad }),
      opening: writeParamList(arena, arena.alloc(paramListBytes({ tlsaad })), { tlsaad }),
      packet: arena.alloc(ESP_HEADER_BYTES + IV_BYTES + TAG_BYTES),
    };
    inputsOf.set(arena, inputs);
  }
  return inputs;
}
