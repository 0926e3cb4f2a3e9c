/** One message to a peer and the answer to it, at a bounded rate: what the doctor and the probe share. */
import type { Random } from "../../crypto/interfaces.js";
import type { Address, SocketAddress } from "../../esp/address.js";
import { datagramOf, messageIn } from "../../ike/embedding.js";
import { type FirstAnswer, readFirstAnswer } from "../../ike/probe/first-message.js";
import { openProbeSocket, type ProbeSocket } from "./udp.js";

/** A socket to one port of the peer. */
export interface End {
  readonly socket: ProbeSocket;
  readonly port: number;
  readonly remote: SocketAddress;
}

export interface EndWish {
  readonly remote: Address;
  /** To bind to; absent: by route. */
  readonly local?: Address;
  readonly mark: number;
  readonly fragmentation?: "refusedByLink" | "allowed";
}

/** Throws `SystemError`: no route, no such address. */
export function openEnd({ remote, local, mark, fragmentation }: EndWish, port: number): End {
  const to = { address: remote, port };
  return { socket: openProbeSocket(to, local, mark, fragmentation), port, remote: to };
}

/** Waits until the next packet may leave. */
export type Pace = () => Promise<void>;

/** Packets in a second that no peer minds. */
export const USUAL_RATE = 5;

export function createPace(perSecond: number = USUAL_RATE): Pace {
  let next = 0;
  return async () => {
    const now = performance.now();
    const wait = next - now;
    next = Math.max(next, now) + 1_000 / perSecond;
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  };
}

/** Undefined: no answer within `patience` milliseconds. A string: what a router or the kernel said instead. */
export async function exchange(
  { socket, port }: End,
  message: Uint8Array,
  spi: bigint,
  patience: number,
): Promise<FirstAnswer | string | undefined> {
  const refused = socket.send(datagramOf(message, port));
  if (refused !== undefined) return refused;
  const until = performance.now() + patience;
  for (let left = patience; left > 0; left = until - performance.now()) {
    const heard = await socket.receive(left);
    if (heard === undefined || typeof heard === "string") return heard;
    const bytes = messageIn(heard, port);
    const answer = bytes && readFirstAnswer(bytes, spi);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** An initiator's SPI, never 0. */
export function newSpi(random: Random): bigint {
  return new DataView(random(8).buffer).getBigUint64(0) | 1n;
}
