/** What every AEAD over EVP prepares for a packet: the nonce and, with ESN, the associated data. Nothing is allocated. */
import type { Arena } from "../interfaces.js";
import type { AeadRow } from "../registry/row.js";
import type { Secret } from "../secret.js";
import { scratchOf } from "./scratch.js";

export interface AeadInputs {
  /** Where salt and IV stand joined after `setNonce`. */
  readonly nonce: number;
  /** Joins salt (see `saltOf`) and IV: the nonce of RFC 4106 section 3.1, RFC 4309 section 4, RFC 7634 section 2. */
  setNonce(salt: number, iv: number): void;
  /**
   * The offset of the associated data, `aadLength` octets: the header, with ESN a copy that has the high half between SPI and
   * sequence number (RFC 4106 section 5).
   */
  aad(header: number, headerLength: number, esnHigh: number): number;
  aadLength(headerLength: number, esnHigh: number): number;
  /** Where a whole tag passes between EVP and the packet: 16 octets. */
  readonly tag: number;
  /** Copies the ICV at `icv` to `tag`. */
  takeTag(icv: number): void;
  /** Copies `tag` to `icv`, cut to the length of the row's ICV. */
  giveTag(icv: number): void;
}

/**
 * The same for every SA of a row, and made `onceFor` all of them: what ten thousand SAs share stays in the processor's cache. What an SA
 * has of its own is a number, `saltOf`.
 */
export function aeadInputs(arena: Arena, row: AeadRow): AeadInputs {
  const { bytes, view } = arena;
  const { ivBytes, icvBytes, saltBytes } = row;
  const { nonce, aad: esnAad, tag } = scratchOf(arena);
  return {
    nonce,
    setNonce(salt, iv) {
      // Moved as words: an octet at a time costs as much as the rest of this layer.
      if (saltBytes === 4) view.setInt32(nonce, salt);
      else for (let i = 0; i < saltBytes; i++) bytes[nonce + i] = salt >>> (8 * (saltBytes - 1 - i));
      copyWords(view, nonce + saltBytes, iv, ivBytes);
    },
    aad(header, headerLength, esnHigh) {
      if (esnHigh < 0) return header;
      arena.address(header, headerLength);
      view.setInt32(esnAad, view.getInt32(header));
      view.setInt32(esnAad + 4, esnHigh);
      view.setInt32(esnAad + 8, view.getInt32(header + 4));
      return esnAad;
    },
    aadLength: (headerLength, esnHigh) => (esnHigh < 0 ? headerLength : 12),
    tag,
    takeTag: (icv) => copyWords(view, tag, icv, icvBytes),
    giveTag: (icv) => copyWords(view, icv, tag, icvBytes),
  };
}

/** The salt, which ends the key, as an integer of at most 32 bits, signed. */
export function saltOf({ saltBytes }: AeadRow, keyBits: number, key: Secret): number {
  if (saltBytes > 4) throw new RangeError(`a salt of ${saltBytes} octets`);
  return key
    .reveal()
    .subarray(keyBits / 8, keyBits / 8 + saltBytes)
    .reduce((salt, octet) => (salt << 8) | octet, 0);
}

/** Makes what SAs of a row share, once for each arena. */
export function onceFor<Shared extends object>(
  make: (arena: Arena, row: AeadRow) => Shared,
): (arena: Arena, row: AeadRow) => Shared {
  const made = new WeakMap<Arena, WeakMap<AeadRow, Shared>>();
  return (arena, row) => {
    const rows = made.get(arena) ?? new WeakMap<AeadRow, Shared>();
    made.set(arena, rows);
    const shared = rows.get(row) ?? make(arena, row);
    rows.set(row, shared);
    return shared;
  };
}

/** `length` is a multiple of four. */
function copyWords(view: DataView, to: number, from: number, length: number): void {
  for (let i = 0; i < length; i += 4) view.setInt32(to + i, view.getInt32(from + i));
}
