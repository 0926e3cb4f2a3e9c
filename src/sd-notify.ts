/**
 * systemd's notification protocol (sd_notify(3)): datagrams to the AF_UNIX socket that NOTIFY_SOCKET names. Node has no
 * Unix datagram sockets, so libc is called; the few octets of the address and the message live in a small arena.
 */
import type { Arena } from "../crypto/interfaces.js";
import { createArena } from "../crypto/openssl/arena.js";
import { close, connect, socket, write } from "./dataplane/libc.js";

export interface ServiceManager {
  /** "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=…". Lost without a word when nobody listens. */
  notify(state: string): void;
  /** Milliseconds between two signs of life, half of WatchdogSec; undefined: none are wanted. */
  readonly watchdogInterval: number | undefined;
}

const AF_UNIX = 1;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 0x2 | 0x800 | 0x80000;
/** struct sockaddr_un: family (2) | path (108). */
const SOCKADDR_UN_BYTES = 110;
const MAXIMUM_MESSAGE = 4_096;

/** Reads the environment as systemd sets it; without NOTIFY_SOCKET everything is silent. */
export function serviceManager(environment: NodeJS.ProcessEnv): ServiceManager {
  const path = environment.NOTIFY_SOCKET;
  if (path === undefined || !/^[/@]/.test(path)) return { notify: () => undefined, watchdogInterval: undefined };
  const scratch = createScratch();
  return { notify: (state) => send(scratch, path, state), watchdogInterval: watchdogInterval(environment) };
}

function watchdogInterval({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | undefined {
  const microseconds = Number(WATCHDOG_USEC ?? Number.NaN);
  if (!(microseconds > 0) || (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== process.pid)) return undefined;
  return microseconds / 2_000;
}

interface Scratch {
  readonly arena: Arena;
  readonly addressAt: number;
  readonly messageAt: number;
}

function createScratch(): Scratch {
  const arena = createArena(SOCKADDR_UN_BYTES + MAXIMUM_MESSAGE + 256);
  return { arena, addressAt: arena.alloc(SOCKADDR_UN_BYTES), messageAt: arena.alloc(MAXIMUM_MESSAGE) };
}

function send({ arena, addressAt, messageAt }: Scratch, path: string, state: string): void {
  const message = new TextEncoder().encode(state).subarray(0, MAXIMUM_MESSAGE);
  const name = new TextEncoder().encode(path);
  if (name.length > SOCKADDR_UN_BYTES - 3) return;
  arena.bytes.fill(0, addressAt, addressAt + SOCKADDR_UN_BYTES);
  arena.view.setUint16(addressAt, AF_UNIX, true);
  arena.bytes.set(name, addressAt + 2);
  // The abstract name space: a zero octet instead of "@", and no closing zero.
  if (path.startsWith("@")) arena.bytes[addressAt + 2] = 0;
  const addressLength = 2 + name.length + (path.startsWith("@") ? 0 : 1);
  arena.bytes.set(message, messageAt);
  const descriptor = socket(AF_UNIX, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  if (connect(descriptor, arena.address(addressAt, SOCKADDR_UN_BYTES), addressLength) === 0)
    write(descriptor, arena.address(messageAt, message.length), message.length);
  close(descriptor);
}
