/** The status view, made from the endpoint's state alone: every tunnel, every mapping, with the reason in words. */
import { espSuiteName } from "../../crypto/registry/proposal.js";
import { formatAddress } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import { coversWhole, formatSelector } from "../../esp/selector.js";
import type { Child } from "./child.js";
import type { Endpoint } from "./endpoint.js";
import { mappingsInWords } from "./joint.js";
import type { TunnelPolicy } from "./policy.js";
import {
  type AnySa,
  type Holder,
  handshakeWords,
  holdersOf,
  ikeView,
  isHalfOpen,
  isHandshake,
  isRenewing,
} from "./sas.js";
import { isCalling, isWanted, type TunnelState } from "./supervisor.js";
import type { Context, Instant } from "./types.js";
import type { ChildView, TunnelState as StateWord, TunnelView } from "./view.js";

/** Every tunnel with every mapping, up or not, with state and reason in words. */
export function tunnelViews(endpoint: Endpoint, ctx: Pick<Context, "now">): readonly TunnelView[] {
  return endpoint.policy.tunnels.map((policy) => tunnelView(endpoint, policy, ctx.now));
}

function tunnelView(endpoint: Endpoint, policy: TunnelPolicy, now: Instant): TunnelView {
  const state = endpoint.tunnels.get(policy.name)!;
  const established = holdersOf(endpoint.sas, policy.name);
  const current = established.at(-1);
  const ike = current && ikeView(current);
  const handshake = endpoint.sas.of(policy.name).find((sa) => isHandshake(sa) || isHalfOpen(sa));
  const children = childViews(policy, state, established, handshake, now);
  const up = children.filter(({ id }) => id !== undefined).length;
  const waiting = children.filter((child) => child.state === "waiting").length;
  const word = stateWord(policy, state, current, handshake, up, children.length - waiting);
  return {
    name: policy.name,
    state: word,
    ...wordsOf(word, state, handshake, up, children, now),
    peer: current !== undefined ? formatAddress(current.path.remote.address) : peerWords(policy),
    ...(ike && { ike }),
    children,
  };
}

function stateWord(
  policy: TunnelPolicy,
  state: TunnelState,
  current: Holder | undefined,
  handshake: AnySa | undefined,
  up: number,
  all: number,
): StateWord {
  if (current !== undefined && up > 0) return up === all ? "established" : "degraded";
  if (current !== undefined || handshake !== undefined) {
    if (state.want === "traffic" && all === 0) return "waiting";
    return state.want === "down" ? "down" : "connecting";
  }
  switch (state.want) {
    case "up":
      return "connecting";
    case "answer":
      return policy.start === "passive" || state.reason === "" ? "passive" : "down";
    case "traffic":
      return isCalling(state) ? "connecting" : "waiting";
    case "down":
      return "down";
  }
}

function wordsOf(
  word: StateWord,
  state: TunnelState,
  handshake: AnySa | undefined,
  up: number,
  children: readonly ChildView[],
  now: Instant,
): Pick<TunnelView, "reason" | "next"> {
  const { reason } = state;
  const both = (next: string) => ({ reason: reason === "" ? next : `${reason}; ${next}`, next });
  switch (word) {
    case "established":
      return { reason: "", next: "the SAs are renewed before they end" };
    case "degraded": {
      const missing = children.find(isMissing)!.reason;
      return { reason: `${up} of ${children.length} mappings are up: ${missing}`, next: missing };
    }
    case "connecting":
      return both(handshake !== undefined ? handshakeWords(handshake) : nextTry(state, children, now));
    case "waiting":
      return both("waits for traffic");
    case "passive":
      return both("waits for the peer");
    case "down":
      return state.want === "answer"
        ? both("the peer may come back")
        : { reason, next: "it stays down until it is brought up" };
  }
}

function nextTry(state: TunnelState, children: readonly ChildView[], now: Instant): string {
  if (state.resolving !== undefined) return "looking up the peer's address";
  if (state.retryAt === undefined) return children.find(isMissing)?.reason ?? "starting";
  return `next try in ${Math.max(0, Math.ceil((state.retryAt - now) / 1000))} s`;
}

/** A mapping that is not up but should be. */
function isMissing({ id, state }: ChildView): boolean {
  return id === undefined && state !== "waiting";
}

function childViews(
  policy: TunnelPolicy,
  state: TunnelState,
  established: readonly Holder[],
  handshake: AnySa | undefined,
  now: Instant,
): readonly ChildView[] {
  const views: ChildView[] = [];
  const shown = new Set<ChildId>();
  policy.mappings.forEach(({ local, peer }, mapping) => {
    const carrier = carrierOf(established, mapping, state.using.get(mapping));
    if (carrier !== undefined) {
      if (!shown.has(carrier.child.id)) views.push(liveView(policy, carrier.sa, carrier.child));
      shown.add(carrier.child.id);
      return;
    }
    views.push({
      local: [formatSelector(local)],
      peer: [formatSelector(peer)],
      ...idleWords(state, mapping, established.length > 0, handshake !== undefined, now),
    });
  });
  return views;
}

interface Carrier {
  readonly sa: Holder;
  readonly child: Child;
}

/** The child that the mapping sends on, else one that it could. */
function carrierOf(established: readonly Holder[], mapping: number, used: ChildId | undefined): Carrier | undefined {
  let found: Carrier | undefined;
  for (const sa of established)
    for (const child of sa.children.values()) {
      if (child.id === used) return { sa, child };
      if (child.state === "live" && child.pair.mappings.includes(mapping)) found = { sa, child };
    }
  return found;
}

function liveView(policy: TunnelPolicy, sa: Holder, child: Child): ChildView {
  const { id, pair, rekeyAt } = child;
  return {
    id,
    local: pair.local.map(formatSelector),
    peer: pair.remote.map(formatSelector),
    state: "established",
    reason: [narrowedWords(policy, child), isRenewing(sa, child) ? "it is being replaced" : ""]
      .filter(Boolean)
      .join("; "),
    spiIn: pair.spiIn,
    spiOut: pair.spiOut,
    proposal: espSuiteName(pair.suite),
    encapsulation: pair.encapsulation,
    ...(rekeyAt !== undefined && { rekeyAt }),
  };
}

/** What is carried in part alone, because the peer wanted it so. */
function narrowedWords(policy: TunnelPolicy, { pair }: Child): string {
  const cut = pair.mappings.filter((i) => {
    const mapping = policy.mappings[i];
    return mapping && !(coversWhole(pair.local, mapping.local) && coversWhole(pair.remote, mapping.peer));
  });
  return cut.length === 0 ? "" : `the peer narrowed ${mappingsInWords(policy, cut)}: the rest of it is not carried`;
}

function idleWords(
  state: TunnelState,
  mapping: number,
  connected: boolean,
  calling: boolean,
  now: Instant,
): Pick<ChildView, "state" | "reason"> {
  const trouble = connected ? state.troubles.get(mapping) : undefined;
  if (state.want === "down") return { state: "down", reason: state.reason };
  if (state.want === "traffic" && !state.awake.has(mapping))
    return {
      state: "waiting",
      reason: trouble === undefined ? "waits for traffic" : `${trouble.reason}; waits for traffic`,
    };
  if (trouble !== undefined) {
    const { retryAt, reason, asking } = trouble;
    if (asking) return { state: "connecting", reason: `${reason}; asking again` };
    if (!isWanted(state, mapping) || retryAt === undefined) return { state: "down", reason };
    return {
      state: "connecting",
      reason: `${reason}; next try in ${Math.max(0, Math.ceil((retryAt - now) / 1000))} s`,
    };
  }
  if (state.want === "answer") return { state: "passive", reason: state.reason || "waits for the peer" };
  if (connected) return { state: "connecting", reason: "its turn comes" };
  return { state: "connecting", reason: calling ? "comes with the IKE SA" : state.reason || "waits for the IKE SA" };
}

function peerWords({ peer }: TunnelPolicy): string {
  return peer.kind === "address" ? formatAddress(peer.address) : peer.kind === "name" ? peer.name : "any";
}
