/**
 * When a request is sent again, and when its sender gives up (RFC 7296 sections 2.1 and 2.4). The one place for both:
 *
 *     sent at 0, 0.5, 1.5, 3.5, 7.5, 15.5, 25.5, 35.5, 45.5, 55.5 s; given up at 60 s
 *
 * The interval doubles from half a second and is capped at ten, so that a peer that comes back is met within ten.
 */
import type { Path } from "../../esp/address.js";
import type { Effect, Instant } from "./types.js";

const FIRST_INTERVAL = 500;
const LONGEST_INTERVAL = 10_000;

/** How long a request waits for its response when nothing else decides (liveness may decide sooner, or later). */
export const GIVE_UP_AFTER = 60_000;

/** A message as it goes out: one datagram, or the fragments of one (RFC 7383). */
export interface Transmission {
  /** The first fragment, where there are several. */
  readonly bytes: Uint8Array;
  readonly rest?: readonly Uint8Array[];
}

export function transmit(path: Path, { bytes, rest }: Transmission): Effect {
  return rest === undefined ? { kind: "send", path, bytes } : { kind: "send", path, bytes, rest };
}

/** Our one outstanding request (RFC 7296 section 2.3: window of one). Repeated octet for octet. */
export interface Outstanding extends Transmission {
  readonly sentAt: Instant;
  readonly interval: number;
  readonly nextAt: Instant;
}

export function outstanding<Sent extends Transmission>(sent: Sent, now: Instant): Sent & Outstanding {
  return { ...sent, sentAt: now, interval: FIRST_INTERVAL, nextAt: now + FIRST_INTERVAL };
}

/** The request after one more transmission at `now`. */
export function sentAgain<Sent extends Outstanding>(request: Sent, now: Instant): Sent {
  const interval = Math.min(2 * request.interval, LONGEST_INTERVAL);
  return { ...request, interval, nextAt: now + interval };
}
