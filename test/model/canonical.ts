/**
 * What makes two worlds the same: everything that can make a difference from now on, and nothing else. Times count from
 * now, and lifetimes not at all; SPIs, keys, nonces and numbers of children are renamed in the order in which they are met, so
 * that only their being equal counts - and of nonces, which of them are lower.
 */
import { hash } from "node:crypto";
import { compare, hex } from "../../crypto/bytes.js";
import { Secret } from "../../crypto/secret.js";
import { contentOf } from "./messages.js";
import type { Side, World } from "./world.js";

/** A name that is renamed, a time that is counted from now, or words as they are. */
type Token =
  | { readonly name: string; readonly nonce?: Uint8Array }
  /** `life`: a sign of life, which counts where the peer's being alive is watched. */
  | { readonly time: number; readonly life: boolean }
  | string;

/** Of the past, or of the configuration, or said in words for people. */
const SKIPPED: ReadonlySet<string> = new Set([
  "path",
  "createdAt",
  "establishedAt",
  "lastSent",
  "expiresAt",
  "rekeyAt",
  "suite",
  "nat",
  "localId",
  "peerId",
  "selectors",
  "local",
  "remote",
  "group",
  "keyExchange",
  "privateOctets",
  "sealed",
  "reason",
  "detail",
  "replayWindow",
  "volume",
  "encapsulation",
  "tunnel",
  "first",
  "initiator",
  "responder",
  "skPi",
  "skPr",
]);
const TIMES = /^at$|At$|^until$/;
const SIGN_OF_LIFE = "lastAlive";
const SPIS: ReadonlySet<string> = new Set(["spi", "spis", "spiIn", "spiOut", "deletedMeanwhile"]);
const NAMES: ReadonlySet<string> = new Set([
  "id",
  "child",
  "children",
  "replaces",
  "key",
  "heir",
  "predecessor",
  "ask",
]);
/** Later than that is a lifetime. */
const FAR = 3_600_000;
const NONCE_BYTES = 32;

/** A short name for everything in the world that counts. */
export function canonical(world: World): string {
  const watched = world.sides.some(({ endpoint }) => endpoint.policy.tunnels.some(({ dpd }) => dpd !== undefined));
  const tokens: Token[] = [];
  world.sides.forEach((side, who) => {
    tokens.push(`side ${who}`);
    for (const sa of side.endpoint.sas.values()) tokens.push(...tokensOf(sa));
    tokens.push("plane");
    planeTokens(side, tokens);
    tokens.push("tunnels");
    for (const state of side.endpoint.tunnels.values()) tokens.push(...tokensOf(state));
  });
  const flights = world.flights.map(({ to, bytes }) => [`to ${to}`, ...tokensOf(contentOf(bytes)!)]);
  // Their order means nothing; sorted by what they look like without names.
  const shape = (flight: readonly Token[]) =>
    flight.map((t) => (typeof t === "string" ? t : "name" in t ? "?" : "@")).join(" ");
  const sorted = flights
    .map((flight) => ({ flight, shape: shape(flight) }))
    .sort((a, b) => (a.shape < b.shape ? -1 : a.shape > b.shape ? 1 : 0));
  for (const { flight } of sorted) tokens.push(...flight);
  for (const { to, ask, answer } of world.questions) tokens.push(`${answer.kind} to ${to}`, { name: `id ${ask}` });
  tokens.push(world.triggers.map(({ name }) => name).join(), `${world.losses} ${world.delays} ${world.inversions}`);
  return hash("sha1", rendered(tokens, world.now, watched), "base64");
}

function rendered(tokens: readonly Token[], now: number, watched: boolean): string {
  const names = new Map<string, number>();
  const nonces = new Map<string, Uint8Array>();
  let out = "";
  for (const token of tokens) {
    if (typeof token === "string") out += `${token} `;
    else if ("time" in token) {
      if (token.life && !watched) continue;
      const rest = token.time - now;
      out += rest > FAR ? "far " : `${rest} `;
    } else {
      let number = names.get(token.name);
      if (number === undefined) {
        number = names.size;
        names.set(token.name, number);
      }
      if (token.nonce !== undefined) nonces.set(token.name, token.nonce);
      out += `#${number} `;
    }
  }
  const order = [...nonces].sort(([, a], [, b]) => compare(a, b)).map(([name]) => names.get(name)!);
  return `${out} < ${order.join(" ")}`;
}

function planeTokens({ plane: { children, reserved, told } }: Side, tokens: Token[]): void {
  for (const id of children.keys()) tokens.push({ name: `id ${id}` });
  tokens.push("reserved");
  for (const spi of reserved) tokens.push({ name: spi.toString(16).padStart(8, "0") });
  tokens.push("told");
  for (const id of told) tokens.push({ name: `id ${id}` });
}

/** States are shared between worlds, and never change. */
const known = new WeakMap<object, readonly Token[]>();

function tokensOf(value: object): readonly Token[] {
  const tokens = known.get(value);
  if (tokens === undefined) {
    const made: Token[] = [];
    walk(value, "", made);
    const joined = joinedWords(made);
    known.set(value, joined);
    return joined;
  }
  return tokens;
}

/** Neighbouring words as one. */
function joinedWords(tokens: readonly Token[]): readonly Token[] {
  const joined: Token[] = [];
  for (const token of tokens) {
    const last = joined.at(-1);
    if (typeof token === "string" && typeof last === "string") joined[joined.length - 1] = `${last} ${token}`;
    else joined.push(token);
  }
  return joined;
}

function walk(value: unknown, key: string, tokens: Token[]): void {
  if (typeof value === "number") {
    if (TIMES.test(key) || key === SIGN_OF_LIFE) tokens.push({ time: value, life: key === SIGN_OF_LIFE });
    else if (SPIS.has(key)) tokens.push({ name: value.toString(16).padStart(8, "0") });
    else tokens.push(NAMES.has(key) ? { name: `id ${value}` } : String(value));
    return;
  }
  if (typeof value === "bigint") {
    tokens.push({ name: value.toString(16).padStart(16, "0") });
    return;
  }
  if (typeof value === "string") {
    tokens.push(NAMES.has(key) ? { name: value } : value);
    return;
  }
  if (typeof value !== "object" || value === null) {
    tokens.push(String(value));
    return;
  }
  if (value instanceof Uint8Array) {
    const content = contentOf(value);
    if (content !== undefined) tokens.push(...tokensOf(content));
    else if (value.length === NONCE_BYTES) tokens.push({ name: hex(value), nonce: value });
    else tokens.push({ name: hex(value) });
    return;
  }
  if (value instanceof Secret) {
    tokens.push({ name: hex(value.reveal()) });
    return;
  }
  tokens.push("(");
  if (value instanceof Map)
    for (const [k, entry] of value) {
      walk(k, "id", tokens);
      walk(entry, "", tokens);
    }
  else if (Array.isArray(value)) for (const entry of value) walk(entry, key, tokens);
  else
    for (const k of Object.keys(value).sort()) {
      if (SKIPPED.has(k)) continue;
      tokens.push(k);
      walk((value as Record<string, unknown>)[k], k, tokens);
    }
  tokens.push(")");
}
