/**
 * The daemon's side of a recording: for a bounded time, and for one tunnel, the messages of IKE, the packets of ESP, what was inside, and the keys.
 * There is one at a time; outside of it no key leaves the core, and the data plane does not even look whether there is one.
 */
import type { Path } from "../../esp/address.js";
import { formatAddress } from "../../esp/address.js";
import type { TunnelView } from "../../ike/core/view.js";
import { datagramOf } from "../../ike/embedding.js";
import { decodeRawHeader, HEADER_BYTES } from "../../ike/wire/header.js";
import type { ChildMessage, FromWorker, ToWorker } from "../dataplane/protocol.js";
import type { Driver } from "../driver.js";
import type { Clock } from "../scheduler.js";
import { espPacket, reversed, udpPacket } from "./outer-packet.js";
import type { CaptureRecord } from "./records.js";
import { espKeyLines, ikeKeyLine, type KeyLineOrNote } from "./wireshark.js";

export interface CapturePorts {
  readonly driver: Pick<Driver, "views" | "secrets" | "allowSecrets" | "onChange" | "wish">;
  readonly post: (message: ToWorker) => void;
  readonly clock: Clock;
  readonly natTPort: number;
  /** Outer addresses of a tunnel's peer as configured; a peer that may be anybody has none. */
  readonly peersOf: (tunnel: string) => readonly string[];
}

export interface CaptureWish {
  readonly tunnel: string;
  readonly seconds: number;
  /** The SAs are renewed at once, so that their keys can be told: those of older ones nobody has. */
  readonly renew: boolean;
}

export interface Capture {
  /** Everything that goes to the data plane and comes from it passes here; free of cost while nothing is recorded. */
  posted(message: ToWorker): void;
  received(message: FromWorker): void;
  isRunning(): boolean;
  /** Another data plane has taken the place of one that was lost. */
  replaced(): void;
  /** Undefined: another recording runs. `tell` gets the records in their order; the result ends it early. */
  start(wish: CaptureWish, tell: (record: CaptureRecord) => void): (() => void) | undefined;
}

/** Octets of packets that one recording tells. */
const MOST_OCTETS = 64 * 2 ** 20;
/** Milliseconds that the data plane gets to close its tap. */
const LAST_WORDS = 1_000;

export function createCapture(ports: CapturePorts): Capture {
  let running: Session | undefined;
  return {
    posted: (message) => running?.posted(message),
    received: (message) => running?.received(message),
    isRunning: () => running !== undefined,
    replaced: () => running?.replaced(),
    start(wish, tell) {
      if (running !== undefined) return undefined;
      running = startSession(ports, wish, (record) => {
        if (record.kind === "ended") running = undefined;
        tell(record);
      });
      // Only now: what is sent at once belongs to the recording.
      running.begin();
      return running.stop;
    },
  };
}

interface Session {
  begin(): void;
  posted(message: ToWorker): void;
  received(message: FromWorker): void;
  replaced(): void;
  stop(): void;
}

function startSession(ports: CapturePorts, wish: CaptureWish, tell: (record: CaptureRecord) => void): Session {
  const { driver, post, clock, natTPort } = ports;
  const { tunnel, seconds, renew } = wish;
  const told = new Set<string>();
  /** Our own or the peer's initiator SPIs: messages of the tunnel also where its peer may be anybody. */
  const spis = new Set<bigint>();
  let octets = 0;
  let missed = 0;
  let over = false;

  const tellLine = (line: KeyLineOrNote): void => {
    const text = "note" in line ? line.note : `${line.table} ${line.line}`;
    if (told.has(text)) return;
    told.add(text);
    tell("note" in line ? { kind: "note", note: line.note } : { kind: "key", table: line.table, line: line.line });
  };

  function look(): void {
    if (over) return;
    for (const secrets of driver.secrets(tunnel)) {
      spis.add(secrets.initiatorSpi);
      // Before the peer has answered there is nothing to open.
      if (secrets.responderSpi !== 0n) tellLine(ikeKeyLine(secrets));
    }
  }

  function packet(index: 0 | 1, time: number, bytes: Uint8Array, comment?: string): void {
    octets += bytes.length;
    if (octets > MOST_OCTETS) {
      missed++;
      return;
    }
    const text = Buffer.from(bytes).toString("base64");
    tell({ kind: "packet", interface: index, time, packet: text, ...(comment !== undefined && { comment }) });
  }

  /** `path` as the sender sees it. */
  function ike(path: Path, message: Uint8Array, own: number, peer: string): void {
    if (over || message.length < HEADER_BYTES) return;
    if (!isOurs(peer) && !spis.has(decodeRawHeader(message).initiatorSpi)) return;
    packet(0, nowMicroseconds(), udpPacket(path, datagramOf(message, own === natTPort ? NAT_T_PORT : own)));
  }

  function isOurs(peer: string): boolean {
    return ports.peersOf(tunnel).includes(peer) || liveRemote(driver.views(), tunnel) === peer;
  }

  function child(message: ChildMessage): void {
    if (message.tunnel === tunnel) for (const line of espKeyLines(message)) tellLine(line);
  }

  const stopLooking = driver.onChange(look);
  const cancel = clock.at(clock.now() + seconds * 1_000, () => stop());
  let late: (() => void) | undefined;

  function stop(): void {
    if (over) return;
    look();
    over = true;
    cancel();
    stopLooking();
    stopRenewing();
    driver.allowSecrets(null);
    post({ kind: "tap", tunnel: null, mostOctets: 0 });
    late = clock.at(clock.now() + LAST_WORDS, () => end(0));
  }

  function end(more: number): void {
    late?.();
    tell({ kind: "ended", missed: missed + more });
  }

  let stopRenewing: () => void = () => undefined;

  return {
    stop,
    begin() {
      driver.allowSecrets(tunnel);
      tell({ kind: "started", tunnel, seconds });
      post({ kind: "tap", tunnel, mostOctets: MOST_OCTETS });
      look();
      if (renew) stopRenewing = renewAll(driver, tunnel, tell);
    },
    replaced: () => post({ kind: "tap", tunnel: over ? null : tunnel, mostOctets: MOST_OCTETS }),
    posted(message) {
      if (message.kind === "send") {
        const { path, bytes } = message;
        ike(path, bytes, path.local.port, formatAddress(path.remote.address));
      } else if (message.kind === "installChild") child(message.child);
    },
    received(message) {
      if (message.kind === "datagram") {
        const { path, bytes } = message;
        ike(reversed(path), bytes, path.local.port, formatAddress(path.remote.address));
      } else if (message.kind === "tapped") {
        const { direction, time, path, encapsulation, esp, inner } = message;
        const way = direction === "out" ? path : reversed(path);
        packet(
          0,
          time,
          encapsulation === "udp" ? udpPacket(way, esp) : espPacket(way, esp),
          inner ? undefined : "dropped",
        );
        if (inner) packet(1, time, inner);
      } else if (message.kind === "tapClosed" && over) end(message.missed);
    },
  };
}

const NAT_T_PORT = 4500;

/**
 * The children; in IKEv1 phase 1 before them: what its messages begin with is known from its first messages alone, and a quick mode under the
 * old one would stay closed.
 */
function renewAll(driver: CapturePorts["driver"], tunnel: string, tell: (record: CaptureRecord) => void): () => void {
  const ikeOf = () => driver.views().find(({ name }) => name === tunnel)?.ike;
  const before = ikeOf();
  if (before === undefined) {
    tell({ kind: "note", note: `tunnel ${tunnel} has no IKE SA: what is recorded is how it comes up` });
    return () => undefined;
  }
  if (before.version === 2) {
    driver.wish({ do: "rekeyChildren", tunnel });
    return () => undefined;
  }
  const stop = driver.onChange(() => {
    const now = ikeOf();
    if (now === undefined || now.spiI === before.spiI) return;
    stop();
    driver.wish({ do: "rekeyChildren", tunnel });
  });
  driver.wish({ do: "rekeyIke", tunnel });
  return stop;
}

function liveRemote(views: readonly TunnelView[], tunnel: string): string | undefined {
  const remote = views.find(({ name }) => name === tunnel)?.ike?.remote;
  return remote === undefined ? undefined : /^\[?([^\]]+?)\]?:\d+$/.exec(remote)?.[1];
}

function nowMicroseconds(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1_000);
}
