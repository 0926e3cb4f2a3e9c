/**
 * Two endpoints joined by a wire that a test can cut, watch and tamper with; the clock is the test's. Every state that a step
 * is given is frozen through and through, so that a handler that changes its input fails at once.
 */
import assert from "node:assert/strict";
import type { Path } from "../../../esp/address.js";
import type { ChildId, SaPair } from "../../../esp/sa.js";
import { createEndpoint, deadline, type Endpoint, step, tunnelViews } from "../../../ike/core/endpoint.js";
import type { Policy, TunnelPolicy } from "../../../ike/core/policy.js";
import type { Report } from "../../../ike/core/report.js";
import type { Answer, Effect, Event, Question, Wish } from "../../../ike/core/types.js";
import type { TunnelView } from "../../../ike/core/view.js";
import { inboundKeys, outboundKeys } from "../../../ike/v2/keys.js";
import type { Established } from "../../../ike/v2/state.js";
import { openMessage, sealMessage } from "../../../ike/wire/encrypted.js";
import type { ExchangeName } from "../../../ike/wire/exchange-types.js";
import { bodiesOf, decodeMessage, type Payload } from "../../../ike/wire/message.js";
import { answerTo } from "../../sim/answers.js";
import { ADDRESS_A, ADDRESS_B, mirrored, onePolicy, type SideOptions } from "../../sim/policies.js";
import { seededRandom } from "../../sim/random.js";

export interface Side {
  readonly name: "A" | "B";
  endpoint: Endpoint;
  readonly policy: Policy;
  readonly reports: Report[];
  /** What the data plane was told, in order. */
  readonly effects: Effect[];
  readonly children: Map<ChildId, SaPair>;
  /** The child that was told last to send. */
  using: ChildId | undefined;
  psk: string;
  /** Answers that a test wants instead of the true ones. */
  answer?: (question: Question) => Answer | undefined;
}

export interface Datagram {
  readonly from: "A" | "B";
  readonly path: Path;
  readonly bytes: Uint8Array;
}

export interface Pair {
  readonly a: Side;
  readonly b: Side;
  /** Every datagram that was sent. */
  readonly sent: Datagram[];
  now: number;
  /** What becomes of a datagram: nothing, itself, or others. */
  wire: (datagram: Datagram) => readonly Uint8Array[];
  handle(side: Side, event: Event): readonly Effect[];
  wish(side: Side, wish: Wish): void;
  /** Delivers everything and lets this much time pass. */
  pass(milliseconds: number): void;
  /** A datagram straight into a side, along the way that the last one came. */
  inject(side: Side, bytes: Uint8Array): readonly Effect[];
}

export interface PairOptions {
  readonly seed?: number;
  readonly a?: Partial<SideOptions> & { readonly psk?: string };
  readonly b?: Partial<SideOptions> & { readonly psk?: string };
  readonly changeA?: (tunnel: TunnelPolicy) => TunnelPolicy;
  readonly changeB?: (tunnel: TunnelPolicy) => TunnelPolicy;
  readonly policyA?: (policy: Policy) => Policy;
  readonly policyB?: (policy: Policy) => Policy;
  readonly entries?: readonly (readonly string[])[];
}

const IKE = ["aes256gcm16-prfsha256-x25519"];
const ESP = ["aes256gcm16"];
const TRIP = 10;
const NAMELESS = { addressesOf: () => [], local: ADDRESS_A };

/** A is active, B passive, both know each other; nothing has happened yet. */
export function createPair({
  seed = 1,
  a,
  b,
  changeA,
  changeB,
  policyA: finishA = same,
  policyB: finishB = same,
  entries = [["10.1.0.0/16 10.2.0.0/16"]],
}: PairOptions = {}): Pair {
  const random = seededRandom(seed);
  const shared = {
    ikeProposals: IKE,
    espProposals: ESP,
    ikeLifetimeSeconds: 86400,
    childLifetimeSeconds: 3600,
    dpdSeconds: 30,
  };
  const policyA = onePolicy({
    ...shared,
    localId: "a.example",
    peerId: "b.example",
    peer: ADDRESS_B,
    local: ADDRESS_A,
    start: "active",
    entries,
    ...a,
  });
  const policyB = onePolicy({
    ...shared,
    localId: "b.example",
    peerId: "a.example",
    peer: ADDRESS_A,
    local: ADDRESS_B,
    start: "passive",
    entries: mirrored(entries),
    ...b,
  });
  const change = (policy: Policy, how?: (tunnel: TunnelPolicy) => TunnelPolicy) =>
    how === undefined ? policy : { ...policy, tunnels: policy.tunnels.map(how) };
  const streams = { A: random.fork(), B: random.fork() };
  const sideA = createSide("A", finishA(change(policyA, changeA)), a?.psk ?? "one secret");
  const sideB = createSide("B", finishB(change(policyB, changeB)), b?.psk ?? "one secret");
  const flying: { at: number; to: Side; path: Path; bytes: Uint8Array }[] = [];

  const pair: Pair = {
    a: sideA,
    b: sideB,
    sent: [],
    now: 0,
    wire: ({ bytes }) => [bytes],
    handle(side, event) {
      deepFreeze(side.endpoint);
      const ctx = { now: pair.now, random: streams[side.name].octets };
      const { endpoint, effects } = step(side.endpoint, event, ctx);
      side.endpoint = endpoint;
      const all = [...effects];
      for (const effect of effects) all.push(...perform(side, effect));
      return all;
    },
    wish: (side, wish) => void pair.handle(side, { kind: "wish", wish }),
    pass(milliseconds) {
      const end = pair.now + milliseconds;
      for (;;) {
        const next = flying.reduce<number>((soonest, { at }) => Math.min(soonest, at), Number.POSITIVE_INFINITY);
        const ticks = [sideA, sideB].map((side) => deadline(side.endpoint) ?? Number.POSITIVE_INFINITY);
        const at = Math.min(next, ...ticks);
        if (at > end) break;
        pair.now = Math.max(pair.now, at);
        if (next <= at) {
          const [one] = flying.splice(
            flying.findIndex((f) => f.at === next),
            1,
          );
          pair.handle(one!.to, { kind: "datagram", path: one!.path, bytes: one!.bytes });
        } else pair.handle(ticks[0] === at ? sideA : sideB, { kind: "tick" });
      }
      pair.now = end;
    },
    inject(side, bytes) {
      const [there, here] = side === sideA ? [ADDRESS_B, ADDRESS_A] : [ADDRESS_A, ADDRESS_B];
      const path = { local: { address: here, port: 500 }, remote: { address: there, port: 500 } };
      return pair.handle(side, { kind: "datagram", path, bytes });
    },
  };

  function perform(side: Side, effect: Effect): readonly Effect[] {
    switch (effect.kind) {
      case "send": {
        const to = side === sideA ? sideB : sideA;
        const path = { local: effect.path.remote, remote: effect.path.local };
        for (const sent of [effect.bytes, ...(effect.rest ?? [])]) {
          const datagram = { from: side.name, path: effect.path, bytes: sent };
          pair.sent.push(datagram);
          for (const bytes of pair.wire(datagram)) flying.push({ at: pair.now + TRIP, to, path, bytes: bytes.slice() });
        }
        return [];
      }
      case "ask":
        return pair.handle(side, {
          kind: "answer",
          ask: effect.ask,
          answer: side.answer?.(effect.question) ?? answerTo(effect.question, { psk: side.psk, ...NAMELESS }),
        });
      case "report":
        side.reports.push(effect.report);
        return [];
      default:
        side.effects.push(effect);
        if (effect.kind === "installChild") side.children.set(effect.child.id, effect.child);
        if (effect.kind === "removeChild") assert(side.children.delete(effect.id));
        if (effect.kind === "useChild") side.using = effect.id;
        return [];
    }
  }

  return pair;
}

function same(policy: Policy): Policy {
  return policy;
}

function createSide(name: "A" | "B", policy: Policy, psk: string): Side {
  return {
    name,
    endpoint: createEndpoint(policy, 0),
    policy,
    reports: [],
    effects: [],
    children: new Map(),
    using: undefined,
    psk,
  };
}

/** A pair whose tunnel is up, with all its mappings. */
export function establishedPair(options: PairOptions = {}): Pair {
  const pair = createPair(options);
  pair.pass(2_000);
  assert.equal(view(pair.a).state, "established", view(pair.a).reason);
  assert.equal(view(pair.b).state, "established", view(pair.b).reason);
  return pair;
}

export function view(side: Side): TunnelView {
  return tunnelViews(side.endpoint, { now: 0 })[0]!;
}

/** The one established IKE SA of a side. */
export function ikeSa(side: Side): Established {
  const found = [...side.endpoint.sas.values()].filter((sa) => sa.phase === "established");
  assert.equal(found.length, 1, `${side.name} has ${found.length} established IKE SAs`);
  return found[0]!;
}

/** Reports of a kind, in order. */
export function reportsOf<Kind extends Report["kind"]>(side: Side, kind: Kind): Extract<Report, { kind: Kind }>[] {
  return side.reports.filter((r) => r.kind === kind) as Extract<Report, { kind: Kind }>[];
}

/** A protected message as the other side would send it: with its keys, but words that it would never use. */
export function forge(
  from: Side,
  exchange: ExchangeName,
  payloads: readonly Payload[],
  { response = false, messageId }: { readonly response?: boolean; readonly messageId: number },
): Uint8Array {
  const { initiatorSpi, responderSpi, role, keys, negotiated } = ikeSa(from);
  const header = { initiatorSpi, responderSpi, exchange, fromInitiator: role === "initiator", response, messageId };
  return sealMessage(
    header,
    payloads,
    negotiated.suite,
    outboundKeys(keys, role),
    1_000_000 + messageId,
    seededRandom(9).octets,
  );
}

/** The notifications in a side's last protected datagram. */
export function lastNotifies(pair: Pair, from: Side, to: Side) {
  const { bytes } = pair.sent.findLast((d) => d.from === from.name)!;
  const { negotiated, keys, role } = ikeSa(to);
  const opened = openMessage(bytes, decodeMessage(bytes), negotiated.suite, inboundKeys(keys, role))!;
  return bodiesOf(opened.payloads, "N");
}

/** Each child of one side has its partner at the other, with SPIs and keys crossed. */
export function assertMirrored(a: Side, b: Side): void {
  assert.equal(a.children.size, b.children.size, "as many children on both sides");
  for (const mine of a.children.values()) {
    const theirs = [...b.children.values()].find(({ spiIn }) => spiIn === mine.spiOut);
    assert(theirs !== undefined, "a child without a partner");
    assert.equal(mine.spiIn, theirs.spiOut);
    assert.deepEqual(mine.keys.outbound.encryption.reveal(), theirs.keys.inbound.encryption.reveal());
    assert.deepEqual(mine.keys.inbound.encryption.reveal(), theirs.keys.outbound.encryption.reveal());
    assert.deepEqual(mine.local, theirs.remote);
    assert.deepEqual(mine.remote, theirs.local);
  }
}

/** Objects, arrays and the contents of maps; octets cannot be frozen, and are never written by the core. */
function deepFreeze(value: unknown, seen = new Set<object>()): void {
  if (typeof value !== "object" || value === null || seen.has(value) || ArrayBuffer.isView(value)) return;
  seen.add(value);
  if (value instanceof Map) {
    for (const [key, entry] of value) {
      deepFreeze(key, seen);
      deepFreeze(entry, seen);
    }
    for (const method of ["set", "delete", "clear"] as const)
      Object.defineProperty(value, method, {
        value: () => assert.fail(`${method} on a state's map`),
        configurable: true,
      });
    return;
  }
  if (Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const entry of Object.values(value)) deepFreeze(entry, seen);
}
