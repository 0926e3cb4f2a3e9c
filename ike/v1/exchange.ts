/** Messages behind phase 1: which key and IV they have, what proves them, how they are sent (RFC 2409 sections 5.5 and 5.7). */
import { createHash, createPrf } from "../../crypto/backends.js";
import { type Path, samePath } from "../../esp/address.js";
import type { IkeKey } from "../core/context.js";
import { espPath } from "../core/nat.js";
import type { ExchangeNameV1 } from "../wire/exchange-types.js";
import type { PayloadV1 } from "../wire/message-v1.js";
import type { V1Child } from "./child.js";
import { report, type SaContext, type SaEffect, type Step, stepTo } from "./context.js";
import { encryptMessage, withHash } from "./encrypted.js";
import { hash1 } from "./hashes.js";
import { exchangeIv } from "./iv.js";
import { headerOf, send } from "./phase1.js";
import type { Phase1, V1Peer } from "./state.js";

/** The phase 1 SA that we use: the newest. */
export function current({ phase1s }: V1Peer): Phase1 | undefined {
  return phase1s.at(-1);
}

export function phase1Of({ phase1s }: V1Peer, key: IkeKey): Phase1 | undefined {
  return phase1s.find((one) => one.key === key);
}

export function withPhase1(peer: V1Peer, changed: Phase1): V1Peer {
  return { ...peer, phase1s: peer.phase1s.map((one) => (one.key === changed.key ? changed : one)) };
}

/** A number for an exchange of ours: not zero, not in use. */
export function freshMessageId(peer: V1Peer, ctx: SaContext): number {
  for (;;) {
    const [a, b, c, d] = ctx.random(4);
    const id = ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0;
    if (id !== 0 && !peer.quicks.some(({ messageId }) => messageId === id)) return id;
  }
}

export function firstIv(phase1: Phase1, messageId: number): Uint8Array {
  return exchangeIv(createHash(phase1.suite.prf), phase1.suite.encryption, phase1.lastBlock, messageId);
}

export interface Sent {
  readonly peer: V1Peer;
  readonly bytes: Uint8Array;
  readonly iv: Uint8Array;
  readonly effects: readonly SaEffect[];
}

/** Hashes, encrypts and sends a message of an exchange whose IV stands at `iv`. */
export function sendIn(
  peer: V1Peer,
  phase1: Phase1,
  message: {
    readonly exchange: ExchangeNameV1;
    readonly messageId: number;
    readonly iv: Uint8Array;
    readonly path: Path;
    readonly payloads: readonly PayloadV1[];
    readonly hashOf: (behindHash: Uint8Array) => Uint8Array;
  },
  ctx: SaContext,
): Sent {
  const { exchange, messageId, path, payloads, hashOf } = message;
  const header = headerOf(phase1, exchange, messageId);
  const { bytes, iv } = encryptMessage(header, withHash(payloads, hashOf), phase1.cipher, message.iv);
  const isNew = !peer.quicks.some((quick) => quick.messageId === messageId && quick.phase1 === phase1.key);
  const sent = counted(isNew ? withSeen(phase1, messageId) : phase1, bytes.length);
  const used = withPhase1({ ...peer, lastSent: ctx.now }, sent);
  return { peer: used, bytes, iv, effects: send(path, bytes, phase1.features) };
}

/** HDR*, HASH(1), N/D -->, an exchange of one message. */
export function inform(
  peer: V1Peer,
  phase1: Phase1,
  payloads: readonly PayloadV1[],
  ctx: SaContext,
  path: Path = peer.path,
): Step<V1Peer> {
  const messageId = freshMessageId(peer, ctx);
  const prf = createPrf(phase1.suite.prf);
  const hashOf = (behindHash: Uint8Array) => hash1(prf, phase1.keys.skeyidA, messageId, behindHash);
  const iv = firstIv(phase1, messageId);
  const sent = sendIn(peer, phase1, { exchange: "INFORMATIONAL", messageId, iv, path, payloads, hashOf }, ctx);
  return stepTo(sent.peer, ...sent.effects);
}

/** One more message under its keys: at its limit in KB it is replaced, as if its time had come. */
export function counted(phase1: Phase1, octets: number): Phase1 {
  return { ...phase1, usedOctets: phase1.usedOctets + octets };
}

/** Exchanges whose numbers are remembered. */
const MOST_SEEN = 512;

/** The keys are the same in both directions: an exchange of our own that comes back is none of the peer's. */
export function withSeen(phase1: Phase1, messageId: number): Phase1 {
  return { ...phase1, seen: [...phase1.seen, messageId].slice(-MOST_SEEN) };
}

/** What a message means that is authentic and no recording: the peer is alive, and it is there where the message came from. */
export function arrived(peer: V1Peer, path: Path, ctx: SaContext): Step<V1Peer> {
  return follow(alive(peer, ctx), path, ctx);
}

export function alive({ probing: _, ...peer }: V1Peer, ctx: SaContext): V1Peer {
  return { ...peer, lastAlive: ctx.now };
}

/** The mapping of the NAT in front of the peer has changed: only the side that is not behind one follows. */
export function follow(peer: V1Peer, path: Path, ctx: SaContext): Step<V1Peer> {
  if (peer.nat.here || !peer.nat.peer || samePath(path, peer.path)) return stepTo(peer);
  const children = new Map<number, V1Child>();
  const effects: SaEffect[] = [];
  for (const child of peer.children.values()) {
    const { encapsulation } = child.pair;
    const moved = espPath(path, encapsulation, ctx);
    children.set(child.id, { ...child, pair: { ...child.pair, path: moved } });
    effects.push({ kind: "updateChild", id: child.id, path: moved, encapsulation });
  }
  const next = { ...peer, path, children };
  return stepTo(
    next,
    ...effects,
    report(next, { kind: "story", story: "the NAT in front of the peer has moved it; we follow" }),
  );
}
