/** Every period of the protocol that the configuration does not name, and how soft limits and pauses are drawn. */
import type { Random } from "../../crypto/interfaces.js";
import { GIVE_UP_AFTER } from "./retransmit.js";
import type { Instant } from "./types.js";

/** How long a responder keeps an IKE SA that has not been authenticated. */
export const HALF_OPEN_LIFE = 30_000;
/** After an unauthenticated refusal of IKE_SA_INIT: how much longer a better answer is waited for (RFC 7296 section 2.21.1). */
export const REFUSED_INIT_LIFE = 3_000;
/** The responder of a child's rekey sends on the old child no longer than this (`decisions.md` 8). */
export const SWITCH_AFTER = 5_000;
/** The initiator of a child's rekey deletes the old child this much later: packets on their way still find it. */
export const DELETE_OLD_CHILD_AFTER = 1_000;
/** A child that the peer has opened beside another one, and should have deleted by then, is deleted here. */
export const REAP_DUPLICATE_AFTER = GIVE_UP_AFTER + 10_000;
/** A child that another one has made redundant: its peer may delete it itself first; a peer that opens it again is not deleted another one so soon. */
export const REAP_REDUNDANT_AFTER = 10_000;
export const REAP_AGAIN_AFTER = 600_000;
/** How long the responder of an IKE SA's rekey keeps the old one for the peer's Delete and for repeated requests. */
export const REPLACED_IKE_LIFE = GIVE_UP_AFTER + 10_000;
/** How long an IKE SA that is over repeats its last answer. */
export const LINGER_LIFE = 15_000;
/** How long we wait for the answer to the Delete of an IKE SA. */
export const CLOSING_LIFE = 10_000;
/** The same when the gateway shuts down. */
export const SHUTDOWN_LIFE = 3_000;
/** How long an IKE SA whose place a newer one of the peer has taken still serves: further mappings may be on it. */
export const SUPERSEDED_LIFE = 10_000;
/** How long the side that answered IKE_SA_INIT leaves further mappings to the peer before it asks for them itself. */
export const RESPONDER_PATIENCE = 5_000;
/** IKEv1: the initiator of a quick mode sends on the old child no longer than this (`decisions.md` 10). */
export const QUICK_SWITCH_AFTER = 2_000;
/** IKEv1: how long message 3 of a quick mode is repeated for a peer that did not get it. */
export const QUICK_DONE_LIFE = GIVE_UP_AFTER;
/** IKEv1: a phase 1 that a peer needs is called for again after this, where none is on its way. */
export const CALL_AGAIN = 10_000;
/** IKEv1: a question of dead peer detection is repeated within the timeout this many times, and at most once a second. */
export const PROBES = 6;
export const SHORTEST_PROBE_PAUSE = 1_000;
/** Pauses between attempts: doubling, capped, with up to a quarter of jitter so that two ends do not stay in step. */
export interface Pause {
  readonly first: number;
  readonly longest: number;
}

/** A negotiation that failed, a peer that is gone. For ever, but never in a tight loop. */
export const RECONNECT: Pause = { first: 2_000, longest: 60_000 };
/** A peer's name is looked up again while the tunnel is up. */
export const LOOK_AGAIN: Pause = { first: 60_000, longest: 60_000 };
/** A mapping that the peer refused while the IKE SA stands. */
export const RETRY_MAPPING: Pause = { first: 5_000, longest: 300_000 };
/** A mapping that the peer is about to ask for itself, or that has to wait for another exchange (RFC 7296 section 2.25). */
export const RETRY_BUSY: Pause = { first: 300, longest: 10_000 };
/** The rehearsal of a rekey after the tunnel is up, and once more when the peer is busy. */
export const RETRY_REHEARSAL: Pause = { first: 3_000, longest: 3_000 };
/** A rekey that failed while the old SA serves; RFC 7296 section 2.25 asks for a pause after TEMPORARY_FAILURE. */
export const RETRY_REKEY: Pause = { first: 2_000, longest: 30_000 };

/** How long to wait after the `attempts`-th failure (from 1). */
export function pause({ first, longest }: Pause, attempts: number, random: Random): number {
  const base = Math.min(first * 2 ** Math.min(attempts - 1, 16), longest);
  return Math.round(base * (1 + 0.25 * fraction(random)));
}

/**
 * How long after its beginning an SA is replaced (`decisions.md` 11). The margin before its end is twice the time of a
 * whole retransmission or a tenth of the lifetime, but never more than half of it; jitter makes it up to a tenth sooner.
 * A margin that the operator wrote is kept as it is.
 */
export function softLife(lifetimeSeconds: number, marginSeconds: number | undefined, random: Random): number {
  const lifetime = lifetimeSeconds * 1000;
  if (marginSeconds !== undefined) return lifetime - Math.min(marginSeconds * 1000, lifetime);
  const margin = Math.min(lifetime / 2, Math.max(lifetime / 10, 2 * GIVE_UP_AFTER));
  return Math.round((lifetime - margin) * (1 - 0.1 * fraction(random)));
}

/** From 0 up to, not including, 1. */
function fraction(random: Random): number {
  const [high, low] = random(2);
  return ((high! << 8) | low!) / 0x10000;
}

/** The earlier of two instants, either of which may be missing. */
export function earlier(a: Instant | undefined, b: Instant | undefined): Instant | undefined {
  if (a === undefined) return b;
  return b === undefined || a <= b ? a : b;
}

/** When liveness wants a probe, and when it gives its verdict (`decisions.md` 15). */
export function probeAt(lastAlive: Instant, timeoutSeconds: number): Instant {
  return lastAlive + (timeoutSeconds * 1000) / 3;
}

/**
 * When an unanswered request of an established IKE SA means that the peer is dead. With liveness detection on: `timeout`
 * after the last sign of life, but not before the request has had two thirds of it, and at last when it would be given up anyway.
 */
export function verdictAt(sentAt: Instant, lastAlive: Instant, timeoutSeconds: number | undefined): Instant {
  if (timeoutSeconds === undefined) return sentAt + GIVE_UP_AFTER;
  const timeout = timeoutSeconds * 1000;
  const silence = Math.max(lastAlive + timeout, sentAt + (timeout * 2) / 3);
  return Math.min(silence, sentAt + Math.max(GIVE_UP_AFTER, timeout));
}
