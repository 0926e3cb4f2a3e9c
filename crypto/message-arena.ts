/** One arena per thread for work on single messages: SK payloads, vectors, the known answers of start-up. */
import type { Arena } from "./interfaces.js";
import { createArena } from "./openssl/arena.js";

/** A UDP datagram and the octets around it. */
export const MESSAGE_BYTES = 65536 + 1024;

export interface MessageArena {
  readonly arena: Arena;
  /** Where `MESSAGE_BYTES` octets begin that any synchronous user may overwrite. */
  readonly start: number;
}

let made: MessageArena | undefined;

/** Throws `RangeError` when a message of this length does not fit. */
export function messageArena(length: number): MessageArena {
  if (length > MESSAGE_BYTES) throw new RangeError(`message of ${length} octets, at most ${MESSAGE_BYTES}`);
  if (made === undefined) {
    const arena = createArena(MESSAGE_BYTES + 65536);
    made = { arena, start: arena.alloc(MESSAGE_BYTES) };
  }
  return made;
}
