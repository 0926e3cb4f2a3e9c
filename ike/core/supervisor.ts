/**
 * What each tunnel is meant to be, and what follows when it is not: the desired state above all IKE SAs. Retries never
 * end, and never come in a tight loop.
 */
import type { Random } from "../../crypto/interfaces.js";
import type { Address } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import type { IkeKey, LossCause, MappingLossCause } from "./context.js";
import type { TunnelPolicy } from "./policy.js";
import type { Moved } from "./policy-change.js";
import { earlier, pause, RECONNECT, RETRY_BUSY, RETRY_MAPPING } from "./timers.js";
import type { AskId, Instant } from "./types.js";

/**
 * "up": brought up from here, again and again. "answer": the peer may. "traffic": likewise, and a packet wakes its mapping, which is
 * then brought up from here. "down": nobody may.
 */
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
  /** The mappings that packets or the peer have woken, where `want` is "traffic". */
  readonly awake: ReadonlySet<number>;
  /** Failures in a row. */
  readonly attempts: number;
  /** When to try again at the earliest; absent: at once. */
  readonly retryAt?: Instant;
  /** The question for the peer's address that is open. */
  readonly resolving?: AskId;
  /** What the peer's name stood for when it was looked up last, and when that is done again while the tunnel is up. */
  readonly known?: readonly Address[];
  readonly lookAt?: Instant;
  readonly looking?: AskId;
  /** Which of the name's addresses is called: another one after each call that failed. */
  readonly turn: number;
  /** IKE SAs with the same peer whose place another one has taken: they receive until they are deleted. */
  readonly superseded: ReadonlyMap<IkeKey, Superseded>;
  /** A new IKE SA is to take the place of the established one, which cannot be rekeyed. */
  readonly renewing?: true;
  /** Where the peer has sent us, and from where (RFC 5685): until the way there fails. */
  readonly redirect?: { readonly to: Address; readonly from: Address };
  /** How often that happened, since when: against circles. */
  readonly redirects?: { readonly count: number; readonly since: Instant };
  /** Why it is as it is, in words; empty while all is well. */
  readonly reason: string;
  readonly troubles: ReadonlyMap<number, MappingTrouble>;
  /** Mappings that the peer has not taken together with others: kept while the gateway runs, so that a peer that ends the IKE SA over them is not asked so again. */
  readonly apart: ReadonlySet<number>;
  /** Which child each mapping sends on. */
  readonly using: ReadonlyMap<number, ChildId>;
}

export interface Superseded {
  readonly reason: string;
  /** When it is deleted from here, unless the peer has done so. */
  readonly closeAt: Instant;
}

export function initialState({ start }: TunnelPolicy): TunnelState {
  const want = start === "active" ? "up" : start === "passive" ? "answer" : "traffic";
  return {
    want,
    awake: NOBODY,
    attempts: 0,
    turn: 0,
    superseded: new Map(),
    reason: "",
    troubles: new Map(),
    apart: NOBODY,
    using: new Map(),
  };
}

const NOBODY: ReadonlySet<number> = new Set();

/** Whether the mapping is to be brought up from here. */
export function isWanted({ want, awake }: TunnelState, mapping: number): boolean {
  return want === "up" || (want === "traffic" && awake.has(mapping));
}

/** Whether any of them is. */
export function isCalling({ want, awake }: TunnelState): boolean {
  return want === "up" || (want === "traffic" && awake.size > 0);
}

/** Packets for these mappings wait for an SA. The pauses after failures hold all the same. */
export function afterTraffic(state: TunnelState, mappings: readonly number[]): TunnelState {
  if (state.want !== "traffic" || mappings.every((mapping) => state.awake.has(mapping))) return state;
  const troubles = new Map(state.troubles);
  // What the peer was left to ask for is asked for from here now.
  for (const mapping of mappings) if (troubles.get(mapping)?.attempts === 0) troubles.delete(mapping);
  return { ...state, awake: new Set([...state.awake, ...mappings]), troubles };
}

/** An IKE SA that lived this long shows that the peer works: the pauses begin anew. */
const GOOD_LIFE = 60_000;

export interface Loss {
  readonly cause: LossCause;
  readonly reason: string;
  /** How long it had been established, and before that how long the call took. */
  readonly lived: number;
  readonly called: number;
}

/** The last IKE SA of a tunnel is gone: `close` and `dpd.action` say what now (`decisions.md` 14, 15). */
export function afterLoss(
  state: TunnelState,
  policy: TunnelPolicy,
  loss: Loss,
  now: Instant,
  random: Random,
): TunnelState {
  const { retryAt: _, renewing: __, looking: ___, lookAt: ____, redirect: _____, ...kept } = state;
  const turn = loss.cause === "failed" ? state.turn + 1 : state.turn;
  const told = { ...kept, reason: loss.reason, troubles: new Map(), superseded: new Map(), turn };
  const next = wantAfter(state, policy, loss.cause);
  if (next.want === "answer" || next.want === "down") return { ...told, ...next, attempts: 0 };
  const attempts = loss.lived >= GOOD_LIFE ? 1 : state.attempts + 1;
  // A call that nobody answered has been a pause itself.
  const wait = Math.max(pause(RECONNECT, attempts, random) - loss.called, pause(RECONNECT, 1, random));
  return { ...told, ...next, attempts, retryAt: now + wait };
}

type Wanted = Pick<TunnelState, "want" | "awake">;

function wantAfter({ want, awake }: Wanted, { start, close, dpd }: TunnelPolicy, cause: LossCause): Wanted {
  const asleep = { want: "traffic", awake: NOBODY } as const;
  if (want === "down" || want === "answer") return { want, awake };
  // What traffic has asked for in vain is asked for again when there is traffic again.
  if (want === "traffic" && cause === "failed") return asleep;
  const action = cause === "peer" ? close : cause === "dead" ? (dpd?.action ?? "restart") : "restart";
  switch (action) {
    case "restart":
      return { want, awake };
    case "on-traffic":
      return asleep;
    case "none":
    case "clear":
      return start === "on-traffic" ? asleep : { want: "answer", awake: NOBODY };
  }
}

/** The attempt to replace an IKE SA that still serves failed: once more after a pause. */
export function afterFailedRenewal(state: TunnelState, now: Instant, random: Random): TunnelState {
  if (state.redirect !== undefined) {
    // Where the peer has sent us nobody answers: it has not told us that the old one ends.
    const { redirect: _, renewing: __, ...kept } = state;
    return kept;
  }
  const attempts = state.attempts + 1;
  return { ...state, attempts, retryAt: now + pause(RECONNECT, attempts, random) };
}

/** A mapping lost its child, or did not get one. */
export function afterMappingLoss(
  state: TunnelState,
  policy: TunnelPolicy,
  mapping: number,
  cause: MappingLossCause,
  reason: string,
  now: Instant,
  random: Random,
): TunnelState {
  const attempts = (state.troubles.get(mapping)?.attempts ?? 0) + 1;
  const sleeps = cause === "peer" ? sleepsAfterClose(state, policy) : state.want === "traffic" && cause === "failed";
  const stays = cause === "peer" && policy.close === "none" && !sleeps;
  const trouble: MappingTrouble =
    cause === "unsplit" || stays
      ? { reason, attempts }
      : { reason, attempts, retryAt: now + pauseAfter(cause, attempts, random) };
  const next = sleeps ? asleep(state, policy, mapping) : state;
  return { ...next, troubles: new Map(state.troubles).set(mapping, trouble) };
}

const PAUSE_BY_CAUSE = { peer: RECONNECT, failed: RETRY_MAPPING, busy: RETRY_BUSY } as const;

function pauseAfter(cause: Exclude<MappingLossCause, "unsplit">, attempts: number, random: Random): number {
  return cause === "expired" ? 0 : pause(PAUSE_BY_CAUSE[cause], attempts, random);
}

/** Whether a mapping whose child the peer has deleted waits for traffic. */
function sleepsAfterClose({ want }: TunnelState, { start, close }: TunnelPolicy): boolean {
  if (want !== "up" && want !== "traffic") return false;
  return close === "on-traffic" || (close === "none" && start === "on-traffic");
}

/** One mapping waits for traffic, the others go on as they are. */
function asleep(state: TunnelState, { mappings }: TunnelPolicy, mapping: number): TunnelState {
  const awake = new Set(state.want === "up" ? mappings.keys() : state.awake);
  awake.delete(mapping);
  return { ...state, want: "traffic", awake };
}

/** The peer wants an SA for each of these mappings: they are asked for again, one by one, at once. */
export function withApart(state: TunnelState, mappings: readonly number[]): TunnelState {
  return { ...state, apart: new Set([...state.apart, ...mappings]) };
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
  const awake = state.want === "traffic" ? new Set([...state.awake, ...mappings]) : state.awake;
  return { ...state, using, troubles, awake };
}

/** The mappings have other numbers; what is known about one that is gone is forgotten. */
export function withMappings(state: TunnelState, moved: Moved): TunnelState {
  const renumber = <Value>(values: ReadonlyMap<number, Value>) =>
    new Map([...values].flatMap(([mapping, value]) => pairOf(moved(mapping), value)));
  const renumberAll = (mappings: ReadonlySet<number>) => new Set([...mappings].flatMap((each) => moved(each) ?? []));
  const [awake, apart] = [renumberAll(state.awake), renumberAll(state.apart)];
  return { ...state, awake, apart, troubles: renumber(state.troubles), using: renumber(state.using) };
}

function pairOf<Value>(mapping: number | undefined, value: Value): readonly (readonly [number, Value])[] {
  return mapping === undefined ? [] : [[mapping, value]];
}

/** The operator's or the configuration's wish for it to be up, at once. */
export function wantUp(state: TunnelState): TunnelState {
  const { retryAt: _, ...kept } = state;
  return { ...kept, want: "up", attempts: 0, troubles: new Map(), apart: NOBODY };
}

export function wantDown(state: TunnelState): TunnelState {
  const { retryAt: _, resolving: __, renewing: ___, looking: ____, lookAt: _____, ...kept } = state;
  return {
    ...kept,
    want: "down",
    awake: NOBODY,
    attempts: 0,
    reason: "taken down by the operator",
    troubles: new Map(),
  };
}

/** When the supervisor itself has something to do. `connected`: an IKE SA is established; `busy`: one is on its way. */
export function supervisorDeadline(state: TunnelState, connected: boolean, busy: boolean): Instant | undefined {
  let at: Instant | undefined;
  for (const { closeAt } of state.superseded.values()) at = earlier(at, closeAt);
  if (!isCalling(state)) return at;
  const waits = busy || state.resolving !== undefined;
  if (!connected) return waits ? at : earlier(at, state.retryAt ?? Number.NEGATIVE_INFINITY);
  if (state.renewing && !waits) at = earlier(at, state.retryAt ?? Number.NEGATIVE_INFINITY);
  if (state.looking === undefined) at = earlier(at, state.lookAt);
  for (const [mapping, { retryAt }] of state.troubles) if (isWanted(state, mapping)) at = earlier(at, retryAt);
  return at;
}
