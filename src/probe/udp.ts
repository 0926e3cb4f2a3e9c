/**
 * A UDP socket for looking at a peer and the path to it: connected, so that the errors of routers reach it; its packets are never routed into
 * a tunnel (the gateway's mark), and where they may not be fragmented as large as the first link takes, whatever the kernel believes of the path.
 */
import { createArena } from "../../crypto/openssl/arena.js";
import { type Address, type SocketAddress, unspecified } from "../../esp/address.js";
import { allocateDescriptors, createDescriptors } from "../dataplane/descriptors.js";
import { readSocketAddress, SOCKADDR_BYTES, writeSocketAddress } from "../dataplane/layout.js";
import { checked, connect, errno, errnoName, getsockname, read, write } from "../dataplane/libc.js";
import { createSocketCalls, SOCK_DGRAM } from "../dataplane/socket-options.js";
import { watch } from "../dataplane/watch.js";

export interface ProbeSocket {
  readonly local: SocketAddress;
  /** Undefined: it has left; else why not ("EMSGSIZE": larger than the link). */
  send(bytes: Uint8Array): string | undefined;
  /** The next datagram, or what a router said ("ECONNREFUSED", "EMSGSIZE" …); undefined: nothing in that many milliseconds. */
  receive(milliseconds: number): Promise<Uint8Array | string | undefined>;
  close(): void;
}

const LARGEST = 65_535;
const ARENA_BYTES = LARGEST + 4_096;

/** Throws `SystemError`: no route, no such address. */
export function openProbeSocket(
  remote: SocketAddress,
  local: Address | undefined,
  mark: number,
  fragmentation: "refusedByLink" | "allowed" = "refusedByLink",
): ProbeSocket {
  const descriptors = createDescriptors(allocateDescriptors());
  const arena = createArena(ARENA_BYTES);
  const calls = createSocketCalls(arena, descriptors);
  const buffer = arena.alloc(LARGEST);
  const name = arena.alloc(SOCKADDR_BYTES + 8);
  const { family } = remote.address;
  try {
    const fd = calls.open(family, SOCK_DGRAM, 0);
    if (mark !== 0) calls.mark(fd, mark);
    calls.fragmentation(fd, family, fragmentation);
    calls.bind(fd, { address: local ?? unspecified(family), port: 0 });
    const length = writeSocketAddress(arena, name, remote);
    checked(connect(fd, arena.address(name, SOCKADDR_BYTES), length), "connect");
    arena.view.setUint32(name + SOCKADDR_BYTES, SOCKADDR_BYTES, true);
    checked(
      getsockname(fd, arena.address(name, SOCKADDR_BYTES), arena.address(name + SOCKADDR_BYTES, 4)),
      "getsockname",
    );
    return probeSocket(fd, readSocketAddress(arena.view, name));
  } catch (error) {
    descriptors.closeAll();
    throw error;
  }

  function probeSocket(fd: number, own: SocketAddress): ProbeSocket {
    const take = (): Uint8Array | string | undefined => {
      const octets = read(fd, arena.address(buffer, LARGEST), LARGEST);
      if (octets >= 0) return arena.bytes.slice(buffer, buffer + octets);
      const code = errnoName(errno());
      return code === "EAGAIN" ? undefined : code;
    };
    return {
      local: own,
      send(bytes) {
        arena.bytes.set(bytes, buffer);
        return write(fd, arena.address(buffer, bytes.length), bytes.length) < 0 ? errnoName(errno()) : undefined;
      },
      receive(milliseconds) {
        return new Promise((resolve) => {
          const done = (result: Uint8Array | string | undefined): void => {
            clearTimeout(late);
            readiness.close();
            resolve(result);
          };
          const late = setTimeout(() => done(undefined), milliseconds);
          const readiness = watch(fd, () => {
            const result = take();
            if (result !== undefined) done(result);
          });
        });
      },
      close: () => descriptors.closeAll(),
    };
  }
}
