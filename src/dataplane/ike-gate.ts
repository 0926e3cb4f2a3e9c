/**
 * What an IKE datagram has to pass before it costs the main thread anything: checks that need no keys (decision 28 of the design).
 * The protocol proper starts behind it.
 */
import type { Flow } from "./flow.js";

/** RFC 7296 section 3.1, RFC 2408 section 3.1. */
const HEADER_BYTES = 28;
const LENGTH_FIELD = 24;
const RESPONDER_SPI = 8;

/** Per second. A gateway with 1,000 tunnels that all rekey at once needs a few hundred. */
const DATAGRAMS_PER_SECOND = 4000;
/** Of those, ones that ask for a new IKE SA (responder's SPI zero): they are what a flood from forged addresses is made of. */
const NEW_PER_SECOND = 1000;
/** A large datagram counts as several. */
const OCTETS_PER_TOKEN = 2048;

export type Refusal = "malformed" | "queueFull";

export interface IkeGate {
  /** Undefined: hand it over. `now`: milliseconds, monotonic. */
  check(view: DataView, at: number, length: number, now: number): Refusal | undefined;
}

export function createIkeGate(flow: Flow): IkeGate {
  const all = createBucket(DATAGRAMS_PER_SECOND);
  const fresh = createBucket(NEW_PER_SECOND);
  return {
    check(view, at, length, now) {
      if (length < HEADER_BYTES) return "malformed";
      const claimed = view.getUint32(at + LENGTH_FIELD);
      if (claimed < HEADER_BYTES || claimed > length) return "malformed";
      const isNew = view.getUint32(at + RESPONDER_SPI) === 0 && view.getUint32(at + RESPONDER_SPI + 4) === 0;
      const cost = 1 + Math.floor(length / OCTETS_PER_TOKEN);
      if (isNew && !fresh.take(cost, now)) return "queueFull";
      if (!all.take(cost, now) || !flow.enter()) return "queueFull";
      return undefined;
    },
  };
}

interface Bucket {
  take(cost: number, now: number): boolean;
}

/** A token bucket that holds one second's worth. */
function createBucket(perSecond: number): Bucket {
  let tokens = perSecond;
  let filledAt = 0;
  return {
    take(cost, now) {
      tokens = Math.min(perSecond, tokens + ((now - filledAt) * perSecond) / 1000);
      filledAt = now;
      if (tokens < cost) return false;
      tokens -= cost;
      return true;
    },
  };
}
