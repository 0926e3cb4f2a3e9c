/**
 * What each tunnel is meant to be, and what follows when it is not: the desired state above all IKE SAs. Retries never
 * end, and never come in a tight loop.
 */
import type { Random } from "../../crypto/interfaces.js";
import type { ChildId } from "../../esp/sa.js";
import type { LossCause } from "./context.js";
import type { TunnelPolicy } from "./policy.js";
import { earlier, pause, RECONNECT, RETRY_MAPPING } from "./timers.js";
import type { AskId, Instant } from "./types.js";

/** "up": brought up from here, again and again. "answer": the peer may. "traffic": a packet may. "down": nobody may. */
export type Want = "up" | "answer" | "traffic" | "down";

/** A mapping that is not carried, and why. */
export interface MappingTrouble {
  readonly reason: string;
  readonly attempts: number;
  /** Absent: only the peer or the operator can change it, unless it is being asked for. */
  readonly retryAt?: Instant;
  readonly asking?: true;
}

export interface TunnelState {
  readonly want: Want;
  /** Failures in a row. */
  readonly attempts: number;
  /** When to try again; absent: at once, where `want` is "up". */
  readonly retryAt?: Instant;
  /** The question for the peer's address that is open. */
  readonly resolving?: AskId;
  /** A new IKE SA is to take the place of the established one, which cannot be rekeyed. */
  readonly renewing?: true;
  /** Why it is as it is, in words; empty while all is well. */
  readonly reason: string;
  readonly troubles: ReadonlyMap<number, MappingTrouble>;
  /** Which child each mapping sends on. */
  readonly using: ReadonlyMap<number, ChildId>;
}

export function initialState({ start }: TunnelPolicy): TunnelState {
  const want = start === "active" ? "up" : start === "passive" ? "answer" : "traffic";
  return { want, attempts: 0, reason: "", troubles: new Map(), using: new Map() };
}

/** An IKE SA that lived this long shows that the peer works: the pauses begin anew. */
const GOOD_LIFE = 60_000;

export interface Loss {
  readonly cause: LossCause;
  readonly reason: string;
  /** How long it had been established. */
  readonly lived: number;
}

/** The last IKE SA of a tunnel is gone: `close` and `dpd.action` say what now (`decisions.md` 14, 15). */
export function afterLoss(
  state: TunnelState,
  policy: TunnelPolicy,
  loss: Loss,
  now: Instant,
  random: Random,
): TunnelState {
  const { retryAt: _, renewing: __, ...kept } = state;
  const told = { ...kept, reason: loss.reason, troubles: new Map() };
  const want = wantAfter(state.want, policy, loss.cause);
  if (want !== "up") return { ...told, want, attempts: 0 };
  const attempts = loss.lived >= GOOD_LIFE ? 1 : state.attempts + 1;
  return { ...told, want, attempts, retryAt: now + pause(RECONNECT, attempts, random) };
}

function wantAfter(want: Want, { close, dpd }: TunnelPolicy, cause: LossCause): Want {
  if (want !== "up") return want;
  const action = cause === "peer" ? close : cause === "dead" ? (dpd?.action ?? "restart") : "restart";
  switch (action) {
    case "restart":
      return "up";
    case "on-traffic":
      return "traffic";
    case "none":
    case "clear":
      return "answer";
  }
}

/** The attempt to replace an IKE SA that still serves failed: once more after a pause. */
export function afterFailedRenewal(state: TunnelState, now: Instant, random: Random): TunnelState {
  const attempts = state.attempts + 1;
  return { ...state, attempts, retryAt: now + pause(RECONNECT, attempts, random) };
}

/** A mapping lost its child, or did not get one. */
export function afterMappingLoss(
  state: TunnelState,
  { close }: TunnelPolicy,
  mapping: number,
  cause: "peer" | "failed" | "expired",
  reason: string,
  now: Instant,
  random: Random,
): TunnelState {
  const attempts = (state.troubles.get(mapping)?.attempts ?? 0) + 1;
  const trouble: MappingTrouble =
    cause === "peer" && close !== "restart"
      ? { reason, attempts }
      : {
          reason,
          attempts,
          retryAt:
            cause === "expired" ? now : now + pause(cause === "peer" ? RECONNECT : RETRY_MAPPING, attempts, random),
        };
  return { ...state, troubles: new Map(state.troubles).set(mapping, trouble) };
}

export function withTrouble(state: TunnelState, mapping: number, trouble: MappingTrouble): TunnelState {
  return { ...state, troubles: new Map(state.troubles).set(mapping, trouble) };
}

/** Its time has come: it is being asked for. */
export function withAsking(state: TunnelState, mapping: number, { reason, attempts }: MappingTrouble): TunnelState {
  return withTrouble(state, mapping, { reason, attempts, asking: true });
}

export function withoutTrouble(state: TunnelState, mapping: number): TunnelState {
  const troubles = new Map(state.troubles);
  troubles.delete(mapping);
  return { ...state, troubles };
}

/** The mappings send on this child now; their troubles are over. */
export function withUse(state: TunnelState, mappings: readonly number[], child: ChildId): TunnelState {
  const using = new Map(state.using);
  const troubles = new Map(state.troubles);
  for (const mapping of mappings) {
    using.set(mapping, child);
    troubles.delete(mapping);
  }
  return { ...state, using, troubles };
}

/** The operator's or the configuration's wish for it to be up, at once. */
export function wantUp(state: TunnelState): TunnelState {
  const { retryAt: _, ...kept } = state;
  return { ...kept, want: "up", attempts: 0, troubles: new Map() };
}

export function wantDown(state: TunnelState): TunnelState {
  const { retryAt: _, resolving: __, renewing: ___, ...kept } = state;
  return { ...kept, want: "down", attempts: 0, reason: "taken down by the operator", troubles: new Map() };
}

/** When the supervisor itself has something to do. `connected`: an IKE SA is established; `busy`: one is on its way. */
export function supervisorDeadline(state: TunnelState, connected: boolean, busy: boolean): Instant | undefined {
  if (state.want !== "up") return undefined;
  const waits = busy || state.resolving !== undefined;
  if (!connected) return waits ? undefined : (state.retryAt ?? Number.NEGATIVE_INFINITY);
  let at = state.renewing && !waits ? (state.retryAt ?? Number.NEGATIVE_INFINITY) : undefined;
  for (const { retryAt } of state.troubles.values()) at = earlier(at, retryAt);
  return at;
}
