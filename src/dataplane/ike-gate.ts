/**
 * What an IKE datagram has to pass before it costs the main thread anything: checks that need no keys (decision 28 of the design).
 * The protocol proper starts behind it.
 */
import { createBucket } from "./bucket.js";
import type { Flow } from "./flow.js";

/** RFC 7296 section 3.1, RFC 2408 section 3.1. */
const HEADER_BYTES = 28;
const LENGTH_FIELD = 24;
const RESPONDER_SPI = 8;

/** Per second, for IKE SAs that are known. A gateway with 1,000 tunnels that all rekey at once needs a few hundred. */
const KNOWN_PER_SECOND = 4000;
/** Requests for a new IKE SA (responder's SPI zero): they are what a flood from forged addresses is made of. */
const NEW_PER_SECOND = 1000;
/** For IKE SAs that are not there: a peer that has not noticed yet, or noise. The main thread only tells of them. */
const UNKNOWN_PER_SECOND = 200;
/** A large datagram counts as several. */
const OCTETS_PER_TOKEN = 2048;

export type Refusal = "malformed" | "queueFull";

export interface IkeGate {
  /** Undefined: hand it over. `now`: milliseconds, monotonic. */
  check(view: DataView, at: number, length: number, now: number): Refusal | undefined;
  /** Our SPIs of IKE SAs that were born, and of those that are gone. */
  note(opened: readonly bigint[], closed: readonly bigint[]): void;
}

export function createIkeGate(flow: Flow): IkeGate {
  const known = createBucket(KNOWN_PER_SECOND);
  const fresh = createBucket(NEW_PER_SECOND);
  const unknown = createBucket(UNKNOWN_PER_SECOND);
  const spis = new Set<bigint>();

  function isKnown(view: DataView, at: number): boolean {
    return spis.has(view.getBigUint64(at + RESPONDER_SPI)) || spis.has(view.getBigUint64(at));
  }

  return {
    check(view, at, length, now) {
      if (length < HEADER_BYTES) return "malformed";
      const claimed = view.getUint32(at + LENGTH_FIELD);
      if (claimed < HEADER_BYTES || claimed > length) return "malformed";
      const stranger = !isKnown(view, at);
      const isNew = view.getUint32(at + RESPONDER_SPI) === 0 && view.getUint32(at + RESPONDER_SPI + 4) === 0;
      const bucket = stranger ? (isNew ? fresh : unknown) : known;
      const cost = 1 + Math.floor(length / OCTETS_PER_TOKEN);
      return bucket.take(cost, now) && flow.enter(stranger) ? undefined : "queueFull";
    },
    note(opened, closed) {
      for (const spi of opened) spis.add(spi);
      for (const spi of closed) spis.delete(spi);
    },
  };
}
