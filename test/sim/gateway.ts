/** One simulated gateway: the pure endpoint, its data plane, and the driver between them. */
import assert from "node:assert/strict";
import {
  type Address,
  formatAddress,
  formatSocketAddress,
  type Path,
  parseAddress,
  sameAddress,
  unspecified,
} from "../../esp/address.js";
import type { Encapsulation, SaPair } from "../../esp/sa.js";
import { createEndpoint, deadline, type Endpoint, step, tunnelViews } from "../../ike/core/endpoint.js";
import { type Policy, waitsForTraffic } from "../../ike/core/policy.js";
import { movedMappings } from "../../ike/core/policy-change.js";
import type { Report } from "../../ike/core/report.js";
import type { Effect, Event, Wish } from "../../ike/core/types.js";
import type { TunnelView } from "../../ike/core/view.js";
import { decodeRawHeader, ikeHeader } from "../../ike/wire/header.js";
import { headerV1 } from "../../ike/wire/header-v1.js";
import { answerTo } from "./answers.js";
import type { Clock } from "./clock.js";
import { type Child, createDataPlane, type DataPlane, outboundKey } from "./data-plane.js";
import type { Network, Packet } from "./network.js";
import type { SeededRandom } from "./random.js";

export interface Gateway {
  readonly name: string;
  /** The one that it has now. */
  readonly address: Address;
  /** How many mappings its tunnel has. */
  readonly mappings: number;
  readonly dataPlane: DataPlane;
  readonly reports: readonly Report[];
  /** The protocol's whole state. */
  readonly endpoint: Endpoint;
  /** Lets go of what was reported, for long runs. */
  forgetReports(): void;
  wish(wish: Wish): void;
  /** Its tunnel is described otherwise from now on. */
  reconfigure(policy: Policy, newKey?: string): void;
  /** One packet of the mapping; false when nothing carries it. Where traffic brings the mapping up, the packet waits and is told. */
  sendTraffic(mapping: number): boolean;
  /** Its outer address is another one from now on. */
  moveTo(address: Address): void;
  /** A volume limit of a child. */
  limit(child: number, limit: "soft" | "hard"): void;
  views(): readonly TunnelView[];
  /** The power goes: it forgets everything, and says nothing to anybody. */
  crash(): void;
}

export interface GatewayOptions {
  readonly name: string;
  readonly address: Address;
  readonly policy: Policy;
  readonly psk: string;
  /** Host names of `peer`, as the resolver answers at the time. */
  readonly names?: ReadonlyMap<string, readonly Address[]>;
  /** Milliseconds that a key exchange takes at most. */
  readonly slowestAnswer: number;
  /** Takes every step twice and compares: nothing may depend on anything but its inputs, which stay as they are. */
  readonly careful?: boolean;
  /** For looking at one run: every event, effect and report in words. */
  readonly trace?: (line: string) => void;
  /** Called after each step that told the data plane something. */
  readonly watch?: () => void;
}

/** What changes where packets go. */
const TOLD: ReadonlySet<string> = new Set(["installChild", "useChild", "removeChild"] satisfies Effect["kind"][]);

export function createGateway(
  {
    name,
    address,
    policy: first,
    psk: firstKey,
    names = new Map(),
    slowestAnswer,
    careful = false,
    trace,
    watch,
  }: GatewayOptions,
  clock: Clock,
  network: Network,
  random: SeededRandom,
): Gateway {
  const coreRandom = random.fork();
  let policy = first;
  let psk = firstKey;
  let endpoint: Endpoint = createEndpoint(policy, clock.now);
  let dataPlane = createDataPlane(name, () => clock.now);
  let life = 0;
  let here = address;
  /** Packets that wait for the SA of a mapping, and when the first of them was told. */
  const held = new Map<number, { packets: number; toldAt: number }>();
  const traps = () => policy.tunnels.some(waitsForTraffic);
  let alarm = Number.POSITIVE_INFINITY;
  const reports: Report[] = [];

  const context = () => ({ now: clock.now, random: coreRandom.octets });

  const stepTwice: typeof step = (before, event, ctx) => {
    const first = step(before, event, { ...ctx, random: coreRandom.copy().octets });
    const second = step(before, event, ctx);
    assert.deepEqual(first, second, `${name}: the same step gave something else on ${event.kind}`);
    return second;
  };

  const handle = (event: Event) => {
    trace?.(`${clock.now} ${name} <- ${words(event)}`);
    const next = careful ? stepTwice(endpoint, event, context()) : step(endpoint, event, context());
    endpoint = next.endpoint;
    for (const effect of next.effects) perform(effect);
    setAlarm();
    if (watch !== undefined && next.effects.some(({ kind }) => TOLD.has(kind))) watch();
  };

  /** The endpoint wants a tick at its deadline, and never before. */
  const setAlarm = () => {
    const wanted = deadline(endpoint);
    if (wanted === undefined || wanted >= alarm) return;
    alarm = wanted;
    const mine = life;
    clock.after(wanted - clock.now, () => {
      if (mine !== life || alarm !== wanted) return;
      alarm = Number.POSITIVE_INFINITY;
      const due = deadline(endpoint);
      if (due !== undefined && due <= clock.now) handle({ kind: "tick" });
      else setAlarm();
    });
  };

  const perform = (effect: Effect) => {
    trace?.(`${clock.now} ${name} -> ${words(effect)}`);
    switch (effect.kind) {
      case "send":
        for (const bytes of [effect.bytes, ...(effect.rest ?? [])]) {
          assert(bytes.length > 0);
          transmit(effect.path, { kind: "ike", bytes });
        }
        return;
      case "keepalive":
        transmit(effect.path, { kind: "keepalive" });
        return;
      case "ask": {
        const mine = life;
        const { ask } = effect;
        const answer = answerTo(effect.question, { psk, addressesOf, local: here });
        clock.after(random.between(0, slowestAnswer), () => {
          if (mine === life) handle({ kind: "answer", ask, answer });
        });
        return;
      }
      case "report":
        reports.push(effect.report);
        return;
      case "tunnels": {
        const [before] = policy.tunnels;
        const [after] = effect.tunnels;
        const moved = before && after && movedMappings(before.mappings, after.mappings);
        if (moved !== undefined) dataPlane.renumber(moved);
        return;
      }
      default:
        dataPlane.perform(effect);
        if (effect.kind === "useChild") release(dataPlane.children.get(effect.id)!);
        if (effect.kind === "installChild")
          for (const packet of dataPlane.parked(effect.child.spiIn))
            clock.after(0, () => tell(dataPlane.receive(packet)));
    }
  };

  const tell = (events: readonly Event[]) => {
    for (const event of events) handle(event);
  };

  const release = ({ pair }: Child) => {
    for (const mapping of pair.mappings) {
      for (let i = held.get(mapping)?.packets ?? 0; i > 0; i--) transmitOn(pair);
      held.delete(mapping);
    }
  };

  const transmitOn = (pair: SaPair) =>
    transmit(pair.path, {
      kind: "esp",
      spi: pair.spiOut,
      key: outboundKey(pair),
      encapsulated: (pair.encapsulation satisfies Encapsulation) === "udp",
    });

  const addressesOf = (asked: string): readonly Address[] => names.get(asked) ?? literal(asked);

  const transmit = ({ local, remote }: Path, content: Packet["content"]) => {
    const ours = local.address.value === unspecified(local.address.family).value ? here : local.address;
    const moved = !sameAddress(here, address);
    assert(moved || sameAddress(ours, here), `${name} sends from ${formatAddress(ours)}, which it has not`);
    // The operating system refuses what would leave from an address that is gone.
    if (sameAddress(ours, here))
      network.send({ source: { address: here, port: local.port }, destination: remote, content });
  };

  const receive = ({ source, destination, content }: Packet) => {
    if (!sameAddress(destination.address, here)) return;
    const path: Path = { local: destination, remote: source };
    if (content.kind === "ike") handle({ kind: "datagram", path, bytes: content.bytes.slice() });
    if (content.kind === "esp") {
      const { spi, key, encapsulated } = content;
      tell(dataPlane.receive({ spi, key, encapsulated, path }));
    }
  };

  network.attach(address, receive);
  setAlarm();

  return {
    name,
    get address() {
      return here;
    },
    get mappings() {
      return policy.tunnels[0]?.mappings.length ?? 0;
    },
    get dataPlane() {
      return dataPlane;
    },
    reports,
    get endpoint() {
      return endpoint;
    },
    forgetReports: () => void reports.splice(0),
    wish: (wish) => handle({ kind: "wish", wish }),
    reconfigure(next, newKey) {
      psk = newKey ?? psk;
      handle({ kind: "policy", policy: next, newKeys: new Set(newKey === undefined ? [] : ["t"]) });
      policy = next;
    },
    sendTraffic(mapping) {
      const child = dataPlane.sender(mapping);
      if (child !== undefined) {
        transmitOn(child.pair);
        return true;
      }
      if (!traps()) return false;
      const { packets, toldAt } = held.get(mapping) ?? { packets: 0, toldAt: Number.NEGATIVE_INFINITY };
      const tell = clock.now - toldAt >= 1000;
      held.set(mapping, { packets: packets + 1, toldAt: tell ? clock.now : toldAt });
      if (tell) handle({ kind: "traffic", tunnel: policy.tunnels[0]!.name, mappings: [mapping] });
      return true;
    },
    moveTo(next) {
      here = next;
      network.attach(next, receive);
      handle({ kind: "addresses", addresses: [next] });
    },
    limit: (child, limit) => handle({ kind: "limit", child, limit }),
    views: () => tunnelViews(endpoint, { now: clock.now }),
    crash() {
      life++;
      alarm = Number.POSITIVE_INFINITY;
      endpoint = createEndpoint(policy, clock.now);
      dataPlane = createDataPlane(name, () => clock.now, dataPlane.known);
      held.clear();
      setAlarm();
    },
  };
}

/** The address that a name is already; none for another one. */
function literal(name: string): readonly Address[] {
  try {
    return [parseAddress(name)];
  } catch {
    return [];
  }
}

/** An event or an effect in one line, without keys. */
function words(what: Event | Effect): string {
  switch (what.kind) {
    case "datagram":
    case "send":
      return `${what.kind} ${messageWords(what.bytes)} ${formatPath(what.path)}`;
    case "report": {
      const { kind, ike, ...rest } = what.report;
      return `report ${kind} ${ike ?? ""} ${JSON.stringify(rest)}`;
    }
    case "installChild":
      return `installChild ${what.child.id} in ${what.child.spiIn.toString(16)} out ${what.child.spiOut.toString(16)} mappings ${what.child.mappings}`;
    case "ask":
      return `ask ${what.ask} ${what.question.kind}`;
    case "answer":
      return `answer ${what.ask} ${what.answer.kind}`;
    default:
      return JSON.stringify(what, (_, value) => (typeof value === "bigint" ? value.toString(16) : value));
  }
}

function messageWords(bytes: Uint8Array): string {
  const raw = decodeRawHeader(bytes);
  const spis = `${raw.initiatorSpi.toString(16).slice(0, 4)}_${raw.responderSpi.toString(16).slice(0, 4)}`;
  if (raw.majorVersion === 1) {
    const { exchange, messageId } = headerV1(raw);
    return `${exchange} ${messageId.toString(16)} ${spis} ${bytes.length} octets`;
  }
  const { exchange, fromInitiator, response, messageId } = ikeHeader(raw);
  return `${exchange} ${messageId} ${response ? "response" : "request"} by ${fromInitiator ? "I" : "R"} ${spis} ${bytes.length} octets`;
}

function formatPath({ local, remote }: Path): string {
  return `${formatSocketAddress(local)}=${formatSocketAddress(remote)}`;
}
