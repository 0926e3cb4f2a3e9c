/** A pair of loopback sockets that stands for a TUN device: whole packets are read from one of them, as a device hands them over. */
import type { Arena } from "../../crypto/interfaces.js";
import { parseAddress } from "../../esp/address.js";
import type { Descriptors } from "../../src/dataplane/descriptors.js";
import { AF_INET, SOCKADDR_BYTES, writeSocketAddress } from "../../src/dataplane/layout.js";
import { bind, checked, connect, socket, write } from "../../src/dataplane/libc.js";

const SOCK_DGRAM_NONBLOCK = 2 | 0o4000;

export interface SocketDevice {
  readonly fd: number;
  /** A packet of so many octets of the arena waits to be read. Throws when the queue is full. */
  put(start: number, length: number): void;
}

/** `port` is one below those that the kernel gives out by itself. */
export function createSocketDevice(arena: Arena, descriptors: Descriptors, port: number): SocketDevice {
  const name = arena.alloc(SOCKADDR_BYTES);
  const length = writeSocketAddress(arena, name, { address: parseAddress("127.0.0.1"), port });
  const address = arena.address(name, SOCKADDR_BYTES);
  const open = () => descriptors.keep(checked(socket(AF_INET, SOCK_DGRAM_NONBLOCK, 0), "socket"));
  const fd = open();
  const sender = open();
  checked(bind(fd, address, length), "bind");
  checked(connect(sender, address, length), "connect");
  return {
    fd,
    put: (start, octets) => void checked(write(sender, arena.address(start, octets), octets), "write"),
  };
}
