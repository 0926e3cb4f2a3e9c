/**
 * The imperative shell of IKE: it feeds events to the pure endpoint one at a time, performs the effects in their order,
 * answers what the endpoint asks, and keeps the timer. Everything that decides anything lives in ike/.
 *
 * Whatever `step` throws is a bug of ours: it is told with its stack, the event is dropped, the endpoint stays as it was
 * before, and the gateway keeps serving.
 */
import type { Random } from "../crypto/interfaces.js";
import type { Secret } from "../crypto/secret.js";
import type { Address } from "../esp/address.js";
import { createEndpoint, deadline, type Endpoint, isEmpty, step, tunnelViews } from "../ike/core/endpoint.js";
import { type IkeSecrets, ikeSecrets } from "../ike/core/ike-secrets.js";
import type { Policy, TunnelPolicy } from "../ike/core/policy.js";
import type { Report } from "../ike/core/report.js";
import type { AnySa } from "../ike/core/sas.js";
import type { Answer, AskId, Context, Effect, Event, Question, Wish } from "../ike/core/types.js";
import type { TunnelView } from "../ike/core/view.js";
import { childMessage } from "./dataplane/child-message.js";
import type { FromWorker, ToWorker } from "./dataplane/protocol.js";
import type { Resolve } from "./host/resolve.js";
import type { KeyExchangeService } from "./key-exchange/service.js";
import { type Clock, createScheduler } from "./scheduler.js";

/** What the driver reaches of the world; the tests hand in their own. */
export interface DriverPorts {
  readonly clock: Clock;
  readonly random: Random;
  /** One queue to the data plane: what is posted first happens first (decision 4). */
  readonly post: (message: ToWorker) => void;
  readonly keyExchange: KeyExchangeService;
  readonly resolve: Resolve;
  /** By tunnel name, until `reconfigure` brings others. */
  readonly psk: ReadonlyMap<string, Secret>;
  /** The mappings of the data plane are these now; in one order with what is posted. */
  readonly setTunnels: (tunnels: readonly TunnelPolicy[]) => void;
  readonly report: (report: Report) => void;
  /** A bug of ours: `doing` names the event that was dropped. */
  readonly bug: (error: unknown, doing: string) => void;
}

export interface Driver {
  /** The configured tunnels start; the data plane must be ready. */
  start(): void;
  /** What the data plane tells about packets; other messages are not for the driver. */
  received(message: FromWorker): void;
  wish(wish: Wish): void;
  /**
   * Another configuration; `newKeys`: tunnels whose pre-shared key is another one. What is kept does not notice. Throws when it is not
   * taken: by a bug, or because the gateway is going down; everything is as before then.
   */
  reconfigure(policy: Policy, psk: ReadonlyMap<string, Secret>, newKeys: ReadonlySet<string>): void;
  /** This host has other addresses or routes; these are its addresses now. */
  addressesChanged(addresses: readonly Address[]): void;
  views(): readonly TunnelView[];
  /** Of one tunnel, for a recording: throws `RangeError` unless `allowSecrets` has allowed it, and for no longer than that. */
  secrets(tunnel: string): readonly IkeSecrets[];
  /** Null: of no tunnel, as at the start. */
  allowSecrets(tunnel: string | null): void;
  /** No IKE SA is left, also none whose deletion the peer has not confirmed. */
  isEmpty(): boolean;
  /** Runs after every event, when all its effects are performed; the result stops it. */
  onChange(listener: () => void): () => void;
  /**
   * The data plane was lost with all its SAs. The peers are told that the old ones are gone, and everything is negotiated
   * anew: no key is used again, since nobody knows up to which counter it was used (decision 13).
   */
  dataplaneReplaced(): void;
  /** No event is taken any more, and no timer runs. */
  stop(): void;
}

/** After a tick that failed: long enough not to spin, short enough for the other tunnels. */
const PAUSE_AFTER_BUG = 1_000;

export function createDriver(policy: Policy, ports: DriverPorts): Driver {
  const { clock } = ports;
  let { psk: keys } = ports;
  let endpoint: Endpoint = createEndpoint(policy, clock.now());
  /** Answers that belong to an earlier endpoint are dropped. */
  let generation = 0;
  let running = false;
  let busy = false;
  const queue: Event[] = [];
  const listeners = new Set<() => void>();
  /** Taken down by the operator: they stay down when the endpoint is made anew. */
  const kept = new Map<string, "up" | "down">();
  let mayTell: string | null = null;
  const scheduler = createScheduler(clock, () => dispatch({ kind: "tick" }));

  const context = (): Context => ({ now: clock.now(), random: ports.random });

  /** Events that arise while one is handled wait for its effects. */
  function dispatch(event: Event): void {
    if (!running) return;
    queue.push(event);
    if (busy) return;
    busy = true;
    const before = endpoint;
    let pausedUntil: number | undefined;
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      try {
        perform(next);
      } catch (error) {
        if (next.kind === "tick") pausedUntil = clock.now() + PAUSE_AFTER_BUG;
        ports.bug(error, describe(next));
      }
    }
    busy = false;
    // What changed nothing moves no deadline either: a flood of such input costs no look at every SA.
    if (endpoint === before && event.kind === "datagram") return;
    arm(pausedUntil);
    for (const listener of [...listeners]) listener();
  }

  function arm(pausedUntil: number | undefined): void {
    if (!running) return;
    const next = deadline(endpoint);
    scheduler.arm(next === undefined ? pausedUntil : Math.max(next, pausedUntil ?? next));
  }

  function perform(event: Event): void {
    const { sas } = endpoint;
    const result = step(endpoint, event, context());
    endpoint = result.endpoint;
    if (endpoint.sas !== sas) tellSpis(sas, endpoint.sas);
    for (const effect of result.effects) performEffect(effect);
  }

  /** The data plane lets datagrams for known IKE SAs go before those of strangers (decision 28). */
  function tellSpis(before: Endpoint["sas"], after: Endpoint["sas"]): void {
    const opened = after.all.missingIn(before.all).map(ownSpi);
    const closed = before.all.missingIn(after.all).map(ownSpi);
    if (opened.length + closed.length > 0) ports.post({ kind: "ikeSpis", opened, closed });
  }

  function performEffect(effect: Effect): void {
    switch (effect.kind) {
      case "installChild":
        ports.post({ kind: "installChild", child: childMessage(effect.child) });
        return;
      case "send":
        for (const bytes of [effect.bytes, ...(effect.rest ?? [])])
          ports.post({ kind: "send", path: effect.path, bytes });
        return;
      case "keepalive":
      case "reserveSpi":
      case "releaseSpi":
      case "useChild":
      case "updateChild":
      case "removeChild":
        ports.post(effect);
        return;
      case "tunnels":
        ports.setTunnels(effect.tunnels);
        return;
      case "report":
        ports.report(effect.report);
        return;
      case "ask":
        ask(effect.ask, effect.question);
        return;
    }
  }

  function ask(id: AskId, question: Question): void {
    const asked = generation;
    const tell = (answer: Answer): void => {
      if (asked === generation) dispatch({ kind: "answer", ask: id, answer });
    };
    const refused = (error: Error): void => tell({ kind: "refused", reason: error.message });
    let answer: Answer | Promise<Answer>;
    try {
      answer = answerTo(question);
    } catch (error) {
      refused(error as Error);
      return;
    }
    // What is known at once is handled with the event that asked, before the timer is looked after.
    if (answer instanceof Promise) answer.then(tell, refused);
    else tell(answer);
  }

  function pskAnswer(tunnel: string): Answer {
    const psk = keys.get(tunnel);
    return psk ? { kind: "psk", psk } : { kind: "refused", reason: `tunnel ${tunnel} has no pre-shared key` };
  }

  function answerTo(question: Question): Answer | Promise<Answer> {
    const { keyExchange } = ports;
    switch (question.kind) {
      case "psk":
        return pskAnswer(question.tunnel);
      case "publicValue":
        return withValue(keyExchange.publicValue(question.group, question.privateOctets), (publicValue) => ({
          kind: "publicValue",
          publicValue,
        }));
      case "sharedSecret": {
        const { group, privateOctets, peerPublic } = question;
        return withValue(keyExchange.sharedSecret(group, privateOctets, peerPublic), (secret) => ({
          kind: "sharedSecret",
          secret,
        }));
      }
      case "resolve":
        return withValue(ports.resolve(question.name), (addresses) => ({ kind: "resolve", addresses }));
    }
  }

  return {
    start() {
      running = true;
      arm(undefined);
    },
    received(message) {
      switch (message.kind) {
        case "datagram":
        case "alive":
        case "firstInbound":
        case "limit":
        case "traffic":
        case "moved":
          dispatch(message);
          return;
        case "refused":
          dispatch({ kind: "childRefused", child: message.child, reason: message.reason });
          return;
        case "innerMtu":
        case "ready":
        case "counters":
        case "failed":
          return;
      }
    },
    wish(wish) {
      if (wish.do === "up" || wish.do === "down") kept.set(wish.tunnel, wish.do);
      dispatch({ kind: "wish", wish });
    },
    reconfigure(next, psk, newKeys) {
      const before = keys;
      keys = psk;
      dispatch({ kind: "policy", policy: next, newKeys });
      if (endpoint.policy !== next) {
        keys = before;
        throw new Error("the gateway does not take another configuration now; its log says why");
      }
      const names = new Set(next.tunnels.map(({ name }) => name));
      for (const name of kept.keys()) if (!names.has(name)) kept.delete(name);
    },
    addressesChanged: (addresses) => dispatch({ kind: "addresses", addresses }),
    secrets(tunnel) {
      if (mayTell !== tunnel) throw new RangeError(`nobody records tunnel ${tunnel}, so its keys are not told`);
      return ikeSecrets(endpoint, tunnel);
    },
    allowSecrets(tunnel) {
      mayTell = tunnel;
    },
    views: () => tunnelViews(endpoint, { now: clock.now() }),
    isEmpty: () => isEmpty(endpoint),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    dataplaneReplaced() {
      dispatch({ kind: "wish", wish: { do: "shutdown" } });
      generation++;
      endpoint = createEndpoint(endpoint.policy, clock.now());
      for (const [tunnel, wanted] of kept) dispatch({ kind: "wish", wish: { do: wanted, tunnel } });
      arm(undefined);
    },
    stop() {
      running = false;
      generation++;
      scheduler.arm(undefined);
      listeners.clear();
    },
  };
}

function withValue<T>(value: T | Promise<T>, answer: (value: T) => Answer): Answer | Promise<Answer> {
  return value instanceof Promise ? value.then(answer) : answer(value);
}

function ownSpi([, { role, initiatorSpi, responderSpi }]: readonly [string, AnySa]): bigint {
  return role === "initiator" ? initiatorSpi : responderSpi;
}

function describe(event: Event): string {
  switch (event.kind) {
    case "datagram":
      return `a datagram of ${event.bytes.length} octets`;
    case "policy":
      return `a configuration of ${event.policy.tunnels.length} tunnels`;
    case "wish":
      return `the wish "${event.wish.do}"`;
    case "answer":
      return `an answer of kind ${event.answer.kind}`;
    case "tick":
    case "alive":
    case "firstInbound":
    case "limit":
    case "traffic":
    case "childRefused":
    case "addresses":
    case "moved":
      return `the event "${event.kind}"`;
  }
}
