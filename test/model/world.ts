/**
 * Two endpoints of the real protocol core, what is on the wire between them, and everything that can happen next. A world is
 * never changed: each action makes another one.
 */
import assert from "node:assert/strict";
import { hex, utf8 } from "../../crypto/bytes.js";
import { type Secret, secret } from "../../crypto/secret.js";
import type { Path } from "../../esp/address.js";
import type { ChildId, SaPair } from "../../esp/sa.js";
import { apply } from "../../ike/core/consequences.js";
import { Draft } from "../../ike/core/draft.js";
import { createEndpoint, deadline, type Endpoint, step } from "../../ike/core/endpoint.js";
import type { Policy } from "../../ike/core/policy.js";
import { contextOf } from "../../ike/core/sight.js";
import type { Answer, Question as Asked, AskId, Context, Effect, Event, Instant } from "../../ike/core/types.js";
import { startCreate } from "../../ike/v2/create-child-sa.js";
import { decodeRawHeader, ikeHeader } from "../../ike/wire/header.js";
import { isProbe, note } from "./messages.js";
import { toyPublic, toyShared } from "./toy-suite.js";

/** Which of an exchange's nonces are low: of the first side or of the second, of the earlier or the later drawn. */
export interface NonceOrder {
  readonly lower: 0 | 1;
  readonly rising: boolean;
}

export interface Plane {
  readonly children: ReadonlyMap<ChildId, SaPair>;
  readonly reserved: ReadonlySet<number>;
  /** The children that were told to send, the last one last. */
  readonly told: readonly ChildId[];
}

export interface Side {
  readonly endpoint: Endpoint;
  readonly plane: Plane;
  /** Random octets drawn so far. */
  readonly drawn: number;
}

export interface Flight {
  readonly to: 0 | 1;
  readonly path: Path;
  readonly bytes: Uint8Array;
}

/** A question of the core that is being answered. */
export interface Question {
  readonly to: 0 | 1;
  readonly ask: AskId;
  readonly answer: Answer;
}

/** Something that happens to one side from outside, whenever it likes. */
export interface Trigger {
  readonly name: string;
  readonly side: 0 | 1;
  event(side: Side): Event | Foreign | undefined;
}

/** What our own supervisor never does, and a peer may: ask for a child for a mapping that has one. */
export interface Foreign {
  readonly kind: "second child";
}

export interface World {
  readonly now: Instant;
  readonly sides: readonly [Side, Side];
  readonly flights: readonly Flight[];
  readonly questions: readonly Question[];
  readonly triggers: readonly Trigger[];
  /** What may still go wrong. */
  readonly losses: number;
  /** Timers that run out while a message is under way. */
  readonly delays: number;
  /** Timers of one side that run out before earlier ones of the other. */
  readonly inversions: number;
}

export interface Rules {
  /** Key exchange takes its time: answers come at any moment, not at once. */
  readonly slow: boolean;
  readonly policies: readonly [Policy, Policy];
  readonly nonces: NonceOrder;
  readonly triggers: readonly Trigger[];
  readonly losses: number;
  readonly delays: number;
  readonly inversions: number;
}

export interface Action {
  readonly name: string;
  readonly world: World;
}

/** A deadline that far away is a lifetime: the model ends before. */
const FAR = 3_600_000;

/** How much sooner than an earlier timer of the other side one may run out. */
const MOST_AHEAD = 5_000;

const NO_PLANE: Plane = { children: new Map(), reserved: new Set(), told: [] };

/** Both sides with a tunnel between them, and nothing under way. */
export function connected(rules: Rules): World {
  const { policies, triggers, losses, delays, inversions } = rules;
  const side = (policy: Policy): Side => ({ endpoint: createEndpoint(policy, 0), plane: NO_PLANE, drawn: 0 });
  let world: World = {
    now: 0,
    sides: [side(policies[0]), side(policies[1])],
    flights: [],
    questions: [],
    triggers,
    losses: 0,
    delays: 0,
    inversions: 0,
  };
  for (let i = 0; i < 1000; i++) {
    const next = actions(world, rules).find((action) => action.world.triggers === triggers);
    if (next === undefined) return { ...world, losses, delays, inversions };
    world = next.world;
  }
  throw new Error("the tunnel does not come to rest");
}

/** Everything that can happen next. */
export function actions(world: World, rules: Rules): readonly Action[] {
  const found: Action[] = [];
  for (const trigger of world.triggers) {
    const event = trigger.event(world.sides[trigger.side]);
    if (event?.kind === "second child" && !isIdle(world.sides[trigger.side])) continue;
    const rest = { ...world, triggers: world.triggers.filter((t) => t !== trigger) };
    const next = event === undefined ? rest : handle(rest, trigger.side, event, rules).world;
    found.push({ name: trigger.name, world: next });
  }
  for (const flight of world.flights) {
    const rest = { ...world, flights: world.flights.filter((f) => f !== flight) };
    const { to, path, bytes } = flight;
    found.push({
      name: `${NAMES[to]} gets ${words(bytes)}`,
      world: handle(rest, to, { kind: "datagram", path, bytes }, rules).world,
    });
    if (world.losses > 0)
      found.push({ name: `${words(bytes)} to ${NAMES[to]} is lost`, world: { ...rest, losses: world.losses - 1 } });
  }
  for (const question of world.questions) {
    const { to, ask, answer } = question;
    const rest = { ...world, questions: world.questions.filter((q) => q !== question) };
    const next = handle(rest, to, { kind: "answer", ask, answer }, rules).world;
    found.push({ name: `${NAMES[to]} has its ${answer.kind}`, world: next });
  }
  const deadlines = world.sides.map(({ endpoint }) => deadline(endpoint) ?? Number.POSITIVE_INFINITY);
  for (const who of [0, 1] as const) {
    const at = deadlines[who]!;
    if (at > world.now + FAR) continue;
    const ahead = at > world.now ? at - deadlines[1 - who]! : 0;
    if (ahead > MOST_AHEAD) continue;
    const inversions = world.inversions - (ahead > 0 ? 1 : 0);
    const delays = world.delays - (world.flights.length + world.questions.length > 0 ? 1 : 0);
    if (inversions < 0 || delays < 0) continue;
    const ticked = tick({ ...world, inversions, delays }, who, at, rules);
    if (ticked !== undefined) found.push({ name: `${NAMES[who]} sees time pass`, world: ticked });
  }
  return found;
}

const NAMES = ["A", "B"] as const;

/** A timer runs out. An idle tunnel is not watched while there is something still to come from outside. */
function tick(world: World, who: 0 | 1, at: Instant, rules: Rules): World | undefined {
  const { world: next, sent } = handle({ ...world, now: Math.max(world.now, at) }, who, { kind: "tick" }, rules);
  return world.triggers.length > 0 && sent.some(isProbe) ? undefined : next;
}

function handle(
  world: World,
  who: 0 | 1,
  event: Event | Foreign,
  rules: Rules,
): { readonly world: World; readonly sent: readonly Uint8Array[] } {
  let { endpoint, plane, drawn } = world.sides[who];
  const { now } = world;
  let { flights, questions } = world;
  const sent: Uint8Array[] = [];
  const random = (length: number) => draw(who, drawn++, length, rules.nonces);
  const queue: (Event | Foreign)[] = [event];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const ctx = { now, random };
    const stepped = next.kind === "second child" ? secondChild(endpoint, ctx) : step(endpoint, next, ctx);
    endpoint = stepped.endpoint;
    for (const effect of stepped.effects) {
      switch (effect.kind) {
        case "send": {
          const { bytes, path } = effect;
          note(bytes, endpoint);
          sent.push(bytes);
          if (flights.some((f) => f.bytes === bytes)) break;
          flights = [...flights, { to: (1 - who) as 0 | 1, path: { local: path.remote, remote: path.local }, bytes }];
          break;
        }
        case "ask":
          if (rules.slow) questions = [...questions, { to: who, ask: effect.ask, answer: answerTo(effect.question) }];
          else queue.push({ kind: "answer", ask: effect.ask, answer: answerTo(effect.question) });
          break;
        default:
          plane = perform(plane, effect);
      }
    }
  }
  const side: Side = { endpoint, plane, drawn };
  const sides = who === 0 ? ([side, world.sides[1]] as const) : ([world.sides[0], side] as const);
  return { world: { ...world, sides, flights, questions }, sent };
}

/** Its IKE SA has no exchange under way, in either direction. */
function isIdle({ endpoint }: Side): boolean {
  const [sa, ...more] = endpoint.sas.values();
  return sa?.phase === "established" && sa.task === undefined && sa.answering === undefined && more.length === 0;
}

function secondChild(endpoint: Endpoint, given: Context): { endpoint: Endpoint; effects: readonly Effect[] } {
  const draft = new Draft(endpoint);
  const ctx = contextOf(draft, given);
  for (const sa of draft.sas.values()) if (sa.phase === "established") apply(draft, sa, startCreate(sa, [0], ctx), ctx);
  return { endpoint: draft.done(), effects: draft.effects };
}

function answerTo(question: Asked): Answer {
  switch (question.kind) {
    case "publicValue":
      return { kind: "publicValue", publicValue: toyPublic(question.privateOctets) };
    case "sharedSecret":
      return { kind: "sharedSecret", secret: toyShared(question.privateOctets, question.peerPublic) };
    case "psk":
      return { kind: "psk", psk: PSK };
    case "resolve":
      return { kind: "refused", reason: "no names here" };
  }
}

const PSK: Secret = secret(utf8("model"));
const NONCE_BYTES = 32;

/** The same draw of the same side is always the same; nonces stand in the order that the rules want. Jitter differs between both sides. */
function draw(who: 0 | 1, count: number, length: number, { lower, rising }: NonceOrder): Uint8Array {
  const octets = new Uint8Array(length);
  let h = Math.imul(count + 1, 0x9e3779b1) ^ (who * 0x5bd1e995);
  for (let i = 0; i < length; i++) {
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) ^ i;
    octets[i] = h >>> 24;
  }
  if (length === NONCE_BYTES) {
    const view = new DataView(octets.buffer);
    view.setUint32(0, (who === lower ? 0 : 0x8000_0000) + (rising ? count : 0x7fff_ffff - count));
  }
  if (length === JITTER_BYTES) octets.fill(who * 0x80);
  return octets;
}

/** Fractions are drawn from two octets. */
const JITTER_BYTES = 2;

/** The data plane, and what must never be asked of it. */
function perform(plane: Plane, effect: Effect): Plane {
  const { children, reserved, told } = plane;
  switch (effect.kind) {
    case "reserveSpi":
      return { ...plane, reserved: new Set(reserved).add(effect.spi) };
    case "releaseSpi": {
      assert(reserved.has(effect.spi), "an SPI is released that was not reserved");
      return { ...plane, reserved: without(reserved, effect.spi) };
    }
    case "installChild": {
      const { child } = effect;
      assert(reserved.has(child.spiIn), "a child is installed on an SPI that was not reserved");
      const keys = new Set([...children.values()].map(keyWords));
      assert(!keys.has(keyWords(child)), "the same keys are installed twice");
      return { ...plane, children: new Map(children).set(child.id, child), reserved: without(reserved, child.spiIn) };
    }
    case "useChild":
      assert(children.has(effect.id), "a child is used that is not installed");
      return { ...plane, told: [...told.filter((id) => id !== effect.id), effect.id] };
    case "removeChild": {
      assert(children.has(effect.id), "a child is removed that is not installed");
      const rest = new Map(children);
      rest.delete(effect.id);
      return { ...plane, children: rest, told: told.filter((id) => id !== effect.id) };
    }
    default:
      return plane;
  }
}

function without(set: ReadonlySet<number>, member: number): ReadonlySet<number> {
  const rest = new Set(set);
  rest.delete(member);
  return rest;
}

function keyWords({ keys }: SaPair): string {
  return hex(keys.inbound.encryption.reveal()) + hex(keys.outbound.encryption.reveal());
}

function words(bytes: Uint8Array): string {
  const { exchange, response, messageId, initiatorSpi } = ikeHeader(decodeRawHeader(bytes));
  return `${exchange} ${response ? "response" : "request"} ${messageId} of ${initiatorSpi.toString(16).slice(0, 4)}`;
}
