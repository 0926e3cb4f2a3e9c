/**
 * The pure endpoint: everything that one gateway knows of IKE (`decisions.md` 1). The driver feeds it events and performs its
 * effects in order; nothing in here has a clock, a socket or a source of randomness of its own.
 */
import type { ChildId } from "../../esp/sa.js";
import type { CookieSecrets } from "../v2/cookie.js";
import { soonest } from "./agenda.js";
import type { IkeKey } from "./context.js";
import type { Policy, TunnelPolicy } from "./policy.js";
import { SaTable } from "./sa-table.js";
import { isOver } from "./sas.js";
import { initialState, type TunnelState } from "./supervisor.js";
import { Table } from "./table.js";
import { earlier } from "./timers.js";
import type { AskId, Instant } from "./types.js";

export { step } from "./step.js";
export { tunnelViews } from "./tunnel-views.js";

/** Opaque to its users. Never changed in place: each step makes the next one. */
export interface Endpoint {
  readonly policy: Policy;
  /** Its tunnels, and those that another policy has taken away and of which an IKE SA is left. */
  readonly byName: ReadonlyMap<string, TunnelPolicy>;
  readonly sas: SaTable;
  readonly tunnels: Table<string, TunnelState>;
  /** Who waits for which answer: an IKE SA, or the supervisor of a tunnel. */
  readonly asks: Table<AskId, AskOwner>;
  readonly nextAsk: AskId;
  readonly nextChild: ChildId;
  /** Drawn with the first flood. */
  readonly cookies?: CookieSecrets;
  /** The time from which nothing is waited for any more: the gateway shuts down. */
  readonly shutdownAt?: Instant;
  /** Nothing has happened yet: the first tick starts the active tunnels. */
  readonly bornAt?: Instant;
}

export type AskOwner = { readonly sa: IkeKey } | { readonly tunnel: string };

/** The endpoint of a configuration. Active tunnels start with the first tick: `deadline` is `now`. */
export function createEndpoint(policy: Policy, now: Instant): Endpoint {
  return {
    policy,
    byName: new Map(policy.tunnels.map((tunnel) => [tunnel.name, tunnel])),
    sas: SaTable.of(),
    tunnels: Table.of(policy.tunnels.map((tunnel) => [tunnel.name, initialState(tunnel)])),
    asks: Table.of(),
    nextAsk: 1,
    nextChild: 1,
    bornAt: now,
  };
}

/** When the endpoint wants its next `tick`; it may be in the past. Undefined: only an event can change it. */
export function deadline(endpoint: Endpoint): Instant | undefined {
  if (endpoint.bornAt !== undefined) return endpoint.bornAt;
  const { sa, tunnel } = soonest(endpoint);
  if (endpoint.shutdownAt === undefined) return earlier(sa, tunnel);
  return isEmpty(endpoint) ? sa : earlier(sa, endpoint.shutdownAt);
}

/** True when no IKE SA is left that anybody has to care for: after "shutdown", the moment to stop. */
export function isEmpty({ sas }: Pick<Endpoint, "sas">): boolean {
  for (const sa of sas.values()) if (!isOver(sa)) return false;
  return true;
}
