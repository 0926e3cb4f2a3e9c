/**
 * From the peers to the TUN device and to the main thread: each datagram is classified, IKE goes through the gate and up, ESP is opened straight
 * where it stands and handed to the coalescer.
 */
import type { ArenaMemory } from "../../crypto/openssl/arena.js";
import type { Address } from "../../esp/address.js";
import type { Coalescer } from "../../esp/coalesce.js";
import { DROP } from "../../esp/drop-reasons.js";
import { clampMss } from "../../esp/mss.js";
import type { Sad } from "../../esp/sad.js";
import { classifyDatagram, DATAGRAM, NON_ESP_MARKER_BYTES } from "../../esp/udp-encap.js";
import type { IkeGate } from "./ike-gate.js";
import { BATCH, HEADROOM, type Inbox } from "./inbox.js";
import { readSocketAddress, SOCKADDR_BYTES } from "./layout.js";
import type { Outer, OuterTable } from "./outer.js";
import type { FromWorker } from "./protocol.js";
import type { OuterSocket } from "./udp.js";

/** Where a packet came from that has to wait for its SA. */
export interface Origin {
  readonly socket: OuterSocket;
  /** A copy of the sender's sockaddr. */
  readonly name: Uint8Array;
  readonly ownAddress: Address | undefined;
}

export interface ReceiveParts {
  readonly arena: ArenaMemory;
  readonly sad: Sad<Outer, Origin>;
  readonly coalescer: Coalescer;
  readonly inbox: Inbox;
  readonly outers: OuterTable;
  readonly gate: IkeGate;
  readonly post: (message: FromWorker) => void;
  /** Milliseconds, monotonic; the time of the present round. */
  readonly now: () => number;
}

export interface Receiver {
  /** Receives at most `batches` x BATCH messages from the socket, and hands them on. Their number. */
  run(socket: OuterSocket, batches: number): number;
  /** Opens a packet that had waited for its SA, as if it came now. */
  replay(bytes: Uint8Array, outerTos: number, origin: Origin): void;
  /** NAT keepalives so far (RFC 3948 section 2.3): ignored, but they show that the path lives. */
  readonly keepalives: number;
}

const IHL_MASK = 0x0f;
const REPLAY_BYTES = 65536;

export function createReceiver(parts: ReceiveParts): Receiver {
  const { arena, sad, coalescer, inbox, outers, gate, post, now } = parts;
  const { view, bytes } = arena;
  const replayBuffer = arena.alloc(REPLAY_BYTES + HEADROOM) + HEADROOM;
  const replayName = arena.alloc(SOCKADDR_BYTES);

  function datagram(socket: OuterSocket, at: number, length: number): void {
    switch (socket.carries) {
      case "ike":
        ike(socket, at, length);
        return;
      case "rawEsp": {
        // IPv4 delivers its header, IPv6 does not.
        const header = socket.family === 4 ? (view.getUint8(at) & IHL_MASK) * 4 : 0;
        if (header < length) esp(socket, at + header, length - header);
        return;
      }
      case "natT":
      case "udpEsp":
        switch (classifyDatagram(bytes, at, length)) {
          case DATAGRAM.esp:
            esp(socket, at, length);
            return;
          case DATAGRAM.ike:
            ike(socket, at + NON_ESP_MARKER_BYTES, length - NON_ESP_MARKER_BYTES);
            return;
          case DATAGRAM.keepalive:
            receiver.keepalives++;
            return;
          default:
            sad.countDrop(DROP.notEsp);
            return;
        }
    }
  }

  function ike(socket: OuterSocket, at: number, length: number): void {
    const refusal = gate.check(view, at, length, now());
    if (refusal !== undefined) {
      sad.countDrop(DROP[refusal]);
      return;
    }
    const path = { local: localOf(socket, inbox.ownAddress()), remote: readSocketAddress(view, inbox.name) };
    post({ kind: "datagram", path, bytes: bytes.slice(at, at + length) });
  }

  function esp(socket: OuterSocket, at: number, length: number): void {
    const octets = sad.openAt(at, length, inbox.tos);
    if (octets > 0) deliver(socket, at, octets, inbox.name, inbox.ownAddress);
    else if (octets === 0) {
      const name = bytes.slice(inbox.name, inbox.name + SOCKADDR_BYTES);
      sad.park(at, length, inbox.tos, { socket, name, ownAddress: inbox.ownAddress() }, now());
    }
  }

  /** An inner packet of `octets` octets stands in the opened ESP packet at `at`. */
  function deliver(
    socket: OuterSocket,
    at: number,
    octets: number,
    name: number,
    ownAddress: () => Address | undefined,
  ): void {
    const { outer, id, device, innerOffset } = sad.opened()!;
    const inner = at + innerOffset;
    if (
      outer.encapsulation === "udp" &&
      socket.carries !== "rawEsp" &&
      outers.isElsewhere(outer, name) &&
      sad.openedNewest()
    )
      reportMove(id, outer, { local: localOf(socket, ownAddress()), remote: readSocketAddress(view, name) });
    if (outer.mss4 !== 0) clampMss(arena, inner, octets, outer.mss4, outer.mss6, false);
    coalescer.add(inner, octets, device);
  }

  /** Once for each place: the answer (`updateChild`) may be a while in coming, or never come. */
  function reportMove(child: number, outer: Outer, path: Outer["path"]): void {
    const { address, port } = path.remote;
    const place = `${address.family}/${address.value}/${port}`;
    if (outer.movedTo === place) return;
    outer.movedTo = place;
    post({ kind: "moved", child, path });
  }

  const receiver = {
    keepalives: 0,
    run(socket: OuterSocket, batches: number) {
      let total = 0;
      for (let batch = 0; batch < batches; batch++) {
        const messages = inbox.receive(socket.fd);
        for (let i = 0; i < messages; i++) {
          if (!inbox.select(i)) {
            sad.countDrop(DROP.malformed);
            continue;
          }
          // A merged batch is not of one kind: the last, shorter one may be a keepalive or a small IKE message.
          const { at, length, segment } = inbox;
          if (length === 0 && socket.carries !== "rawEsp") sad.countDrop(DROP.notEsp);
          for (let from = 0; from < length; from += segment)
            datagram(socket, at + from, Math.min(segment, length - from));
        }
        if (messages > 0) total += messages;
        if (messages < BATCH) break;
      }
      return total;
    },
    replay(packet: Uint8Array, outerTos: number, origin: Origin) {
      bytes.set(packet, replayBuffer);
      bytes.set(origin.name, replayName);
      const octets = sad.openAt(replayBuffer, packet.length, outerTos);
      if (octets > 0) deliver(origin.socket, replayBuffer, octets, replayName, () => origin.ownAddress);
    },
  };
  return receiver;
}

/** The address and port that a datagram reached. */
function localOf(socket: OuterSocket, reached: Address | undefined): OuterSocket["local"] {
  return socket.wildcard && reached !== undefined ? { address: reached, port: socket.local.port } : socket.local;
}
