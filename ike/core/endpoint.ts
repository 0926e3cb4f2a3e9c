/**
 * The pure endpoint: everything that one gateway knows of IKE. The driver feeds it events and performs its effects
 * in order; nothing in here has a clock, a socket or a source of randomness of its own.
 */
import type { Policy } from "./policy.js";
import type { Context, Effect, Event, Instant } from "./types.js";
import type { TunnelView } from "./view.js";

/** Opaque to its users. Never changed in place: each step makes the next one. */
export interface Endpoint {
  readonly policy: Policy;
}

/** The endpoint of a configuration. Active tunnels start with the first tick: `deadline` is `now`. */
export function createEndpoint(policy: Policy, _now: Instant): Endpoint {
  return { policy };
}

/** One event. Deterministic; the given endpoint stays as it is, also when this throws (which would be our bug). */
export function step(
  endpoint: Endpoint,
  _event: Event,
  _ctx: Context,
): { endpoint: Endpoint; effects: readonly Effect[] } {
  return { endpoint, effects: [] };
}

/** When the endpoint wants its next `tick`; it may be in the past. Undefined: only an event can change it. */
export function deadline(_endpoint: Endpoint): Instant | undefined {
  return undefined;
}

/** Every tunnel with every mapping, up or not, with state and reason in words. */
export function tunnelViews(_endpoint: Endpoint, _ctx: Pick<Context, "now">): readonly TunnelView[] {
  return [];
}
