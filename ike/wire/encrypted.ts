/**
 * The Encrypted payload, RFC 7296 section 3.14, for AEADs RFC 5282 section 3:
 *
 *     IKE header | payloads in the clear | generic header | IV | ciphertext of (payloads | padding | Pad Length) | ICV
 *     |------------- covered by the ICV, AAD of an AEAD ----------|
 *
 * Opening goes in this order: integrity, padding, the payloads inside. Nothing inside is looked at before the ICV passed.
 */
import type { Random } from "../../crypto/interfaces.js";
import type { SealerKeys, SealerSpec } from "../../crypto/registry/row.js";
import { open, seal } from "../../crypto/seal.js";
import { ProtocolError } from "../core/errors.js";
import { encodeHeader, HEADER_BYTES, type IkeHeader } from "./header.js";
import { decodeChain, encodeChain, firstType, type Message, type Payload } from "./message.js";
import { ENCRYPTED_PAYLOADS } from "./payload-table.js";
import { Writer } from "./writer.js";

declare const opened: unique symbol;

/** A message whose integrity check passed. Only `openMessage` makes one. */
export interface OpenedMessage {
  readonly [opened]: true;
  readonly header: IkeHeader;
  /** The payloads inside the Encrypted payload. Those outside of it are dropped: nobody has a use for them. */
  readonly payloads: readonly Payload[];
}

/**
 * Opens the SK payload of a decoded message; `bytes` is the whole datagram. Undefined: forged, damaged, or not protected
 * at all, so nothing may follow from it. Throws `ProtocolError` for an authentic message that breaks the format.
 */
export function openMessage(
  bytes: Uint8Array,
  message: Message,
  spec: SealerSpec,
  keys: SealerKeys,
): OpenedMessage | undefined {
  const { header, encrypted } = message;
  if (encrypted?.kind !== "SK") return undefined;
  const headerBytes = encrypted.start + GENERIC_HEADER_BYTES;
  const { ivBytes, icvBytes } = overhead(spec);
  if (bytes.length < headerBytes + ivBytes + 1 + icvBytes) return undefined;
  const plain = open(spec, keys, bytes.subarray(0, headerBytes), bytes.subarray(headerBytes));
  if (plain === undefined) return undefined;
  const padLength = plain[plain.length - 1];
  if (padLength === undefined || padLength + 1 > plain.length)
    throw new ProtocolError("INVALID_SYNTAX", `Encrypted payload: Pad Length ${padLength} in ${plain.length} octets`);
  const inside = plain.subarray(0, plain.length - 1 - padLength);
  const { payloads } = decodeChain(inside, 0, encrypted.firstPayload, false);
  return { header, payloads } as unknown as OpenedMessage;
}

/**
 * A whole protected message. `counter` never repeats under these keys: it is the IV of AEADs and counter modes (RFC 5282
 * section 3.1); CBC takes its IV from `random`.
 */
export function sealMessage(
  header: IkeHeader,
  payloads: readonly Payload[],
  spec: SealerSpec,
  keys: SealerKeys,
  counter: number,
  random: Random,
): Uint8Array {
  const { ivBytes, icvBytes } = overhead(spec);
  const plain = padded(payloads, spec.encryption.blockBytes);
  const length = HEADER_BYTES + GENERIC_HEADER_BYTES + ivBytes + plain.length + icvBytes;
  const w = new Writer();
  encodeHeader(w, header, ENCRYPTED_PAYLOADS.SK.number, length);
  w.u8(firstType(payloads))
    .zero(1)
    .u16(length - HEADER_BYTES);
  const iv = spec.encryption.saltBytes > 0 ? counterIv(counter, ivBytes) : random(ivBytes);
  return w.bytes(seal(spec, keys, iv, w.done(), plain)).done();
}

const GENERIC_HEADER_BYTES = 4;

function overhead({ encryption, integrity }: SealerSpec): { ivBytes: number; icvBytes: number } {
  return { ivBytes: encryption.ivBytes, icvBytes: integrity?.icvBytes ?? encryption.icvBytes };
}

/** The counter, big-endian, in the low octets. */
function counterIv(counter: number, length: number): Uint8Array {
  const w = new Writer();
  return w
    .zero(length - 8)
    .u64(BigInt(counter))
    .done();
}

/** Payloads, as little padding as the cipher's block allows, Pad Length. */
function padded(payloads: readonly Payload[], blockBytes: number): Uint8Array {
  const w = new Writer();
  encodeChain(w, payloads);
  const padLength = (blockBytes - ((w.length + 1) % blockBytes)) % blockBytes;
  return w.zero(padLength).u8(padLength).done();
}
