/** One simulated gateway: the pure endpoint, its data plane, and the driver between them. */
import assert from "node:assert/strict";
import { utf8 } from "../../crypto/bytes.js";
import { secret } from "../../crypto/secret.js";
import {
  type Address,
  formatAddress,
  formatSocketAddress,
  type Path,
  parseAddress,
  sameAddress,
  unspecified,
} from "../../esp/address.js";
import type { Encapsulation } from "../../esp/sa.js";
import { createEndpoint, deadline, type Endpoint, step, tunnelViews } from "../../ike/core/endpoint.js";
import type { Policy } from "../../ike/core/policy.js";
import type { Report } from "../../ike/core/report.js";
import type { Answer, Effect, Event, Question, Wish } from "../../ike/core/types.js";
import type { TunnelView } from "../../ike/core/view.js";
import { decodeRawHeader, ikeHeader } from "../../ike/wire/header.js";
import type { Clock } from "./clock.js";
import { createDataPlane, type DataPlane, outboundKey } from "./data-plane.js";
import type { Network, Packet } from "./network.js";
import type { SeededRandom } from "./random.js";
import { toyPublicValue, toySharedSecret } from "./toy-group.js";

export interface Gateway {
  readonly name: string;
  /** The one that it has now. */
  readonly address: Address;
  /** How many mappings its tunnel has. */
  readonly mappings: number;
  readonly dataPlane: DataPlane;
  readonly reports: readonly Report[];
  wish(wish: Wish): void;
  /** One packet of the mapping; false when nothing carries it. */
  sendTraffic(mapping: number): boolean;
  /** A volume limit of a child. */
  limit(child: number, limit: "soft" | "hard"): void;
  views(): readonly TunnelView[];
  /** It has this address from now on, and none before; the endpoint hears of it. */
  moveTo(address: Address): void;
  /** The power goes: it forgets everything, and says nothing to anybody. */
  crash(): void;
}

export interface GatewayOptions {
  readonly name: string;
  readonly address: Address;
  readonly policy: Policy;
  readonly psk: string;
  /** Host names of `peer`, as the resolver answers. */
  readonly names?: ReadonlyMap<string, Address>;
  /** Milliseconds that a key exchange takes at most. */
  readonly slowestAnswer: number;
  /** Takes every step twice and compares: nothing may depend on anything but its inputs, which stay as they are. */
  readonly careful?: boolean;
  /** For looking at one run: every event, effect and report in words. */
  readonly trace?: (line: string) => void;
}

export function createGateway(
  { name, address: first, policy, psk, names = new Map(), slowestAnswer, careful = false, trace }: GatewayOptions,
  clock: Clock,
  network: Network,
  random: SeededRandom,
): Gateway {
  const coreRandom = random.fork();
  let endpoint: Endpoint = createEndpoint(policy, clock.now);
  let dataPlane = createDataPlane(name);
  let address = first;
  const former: Address[] = [];
  let life = 0;
  let alarm = Number.POSITIVE_INFINITY;
  const reports: Report[] = [];

  const context = () => ({ now: clock.now, random: coreRandom.octets, policy });

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
        const answer = answerTo(effect.question);
        clock.after(random.between(0, slowestAnswer), () => {
          if (mine === life) handle({ kind: "answer", ask, answer });
        });
        return;
      }
      case "report":
        reports.push(effect.report);
        return;
      default:
        dataPlane.perform(effect);
        if (effect.kind === "installChild")
          for (const packet of dataPlane.parked(effect.child.spiIn))
            clock.after(0, () => tell(dataPlane.receive(packet)));
    }
  };

  const tell = (events: readonly Event[]) => {
    for (const event of events) handle(event);
  };

  const answerTo = (question: Question): Answer => {
    switch (question.kind) {
      case "publicValue":
        return { kind: "publicValue", publicValue: toyPublicValue(question.group, question.privateOctets) };
      case "sharedSecret": {
        const shared = toySharedSecret(question.group, question.privateOctets, question.peerPublic);
        return shared === undefined
          ? { kind: "refused", reason: "the peer's public value is not valid" }
          : { kind: "sharedSecret", secret: shared };
      }
      case "psk":
        return { kind: "psk", psk: secret(utf8(psk)) };
      case "resolve": {
        const remote = names.get(question.name) ?? tryAddress(question.name);
        if (remote === undefined) return { kind: "refused", reason: `no such name: ${question.name}` };
        return { kind: "resolve", addresses: [{ remote, local: address }] };
      }
    }
  };

  const transmit = ({ local, remote }: Path, content: Packet["content"]) => {
    // As an operating system does with a source address that it has no more.
    if (former.some((one) => sameAddress(one, local.address))) return;
    const ours = local.address.value === unspecified(local.address.family).value ? address : local.address;
    assert.equal(formatAddress(ours), formatAddress(address), `${name} sends from an address that it has not`);
    network.send({ source: { address, port: local.port }, destination: remote, content });
  };

  const receive = ({ source, destination, content }: Packet) => {
    const path: Path = { local: destination, remote: source };
    if (content.kind === "ike") handle({ kind: "datagram", path, bytes: content.bytes.slice() });
    if (content.kind === "esp") tell(dataPlane.receive({ ...content, path }));
  };

  network.attach(address, receive);
  setAlarm();

  return {
    name,
    get address() {
      return address;
    },
    mappings: policy.tunnels[0]!.mappings.length,
    get dataPlane() {
      return dataPlane;
    },
    reports,
    wish: (wish) => handle({ kind: "wish", wish }),
    sendTraffic(mapping) {
      const child = dataPlane.sender(mapping);
      if (child === undefined) return false;
      const { pair } = child;
      transmit(pair.path, {
        kind: "esp",
        spi: pair.spiOut,
        key: outboundKey(pair),
        encapsulated: (pair.encapsulation satisfies Encapsulation) === "udp",
      });
      return true;
    },
    limit: (child, limit) => handle({ kind: "limit", child, limit }),
    views: () => tunnelViews(endpoint, { now: clock.now }),
    moveTo(next) {
      former.push(address);
      network.detach(address);
      address = next;
      network.attach(address, receive);
      handle({ kind: "addresses", addresses: [address] });
    },
    crash() {
      life++;
      alarm = Number.POSITIVE_INFINITY;
      endpoint = createEndpoint(policy, clock.now);
      dataPlane = createDataPlane(name, dataPlane.known);
      setAlarm();
    },
  };
}

function tryAddress(words: string): Address | undefined {
  try {
    return parseAddress(words);
  } catch {
    return undefined;
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
  const { exchange, fromInitiator, response, messageId, initiatorSpi, responderSpi } = ikeHeader(raw);
  const spis = `${initiatorSpi.toString(16).slice(0, 4)}_${responderSpi.toString(16).slice(0, 4)}`;
  return `${exchange} ${messageId} ${response ? "response" : "request"} by ${fromInitiator ? "I" : "R"} ${spis} ${bytes.length} octets`;
}

function formatPath({ local, remote }: Path): string {
  return `${formatSocketAddress(local)}=${formatSocketAddress(remote)}`;
}
