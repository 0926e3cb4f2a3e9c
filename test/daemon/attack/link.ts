/** A packet socket (packet(7)): every frame that a device sees, and whatever one wants to send through it. */
import { createArena } from "../../../crypto/openssl/arena.js";
import { bind, checked, ifNameToIndex, read, socket, write } from "../../../src/dataplane/libc.js";

const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK = 3 | 0x800;
const ALL_PROTOCOLS = 0x0300; // ETH_P_ALL in network order
const ADDRESS_BYTES = 20;
const FRAME_BYTES = 65536;

export interface Link {
  /** The next frame; undefined: there is none now. */
  receive(): Uint8Array | undefined;
  /** False: the device takes no more at the moment. */
  send(frame: Uint8Array): boolean;
}

export function openLink(device: string): Link {
  const arena = createArena(2 * FRAME_BYTES + 4096);
  const buffer = arena.alloc(FRAME_BYTES);
  const address = arena.alloc(ADDRESS_BYTES);
  const fd = checked(socket(AF_PACKET, SOCK_RAW_NONBLOCK, ALL_PROTOCOLS), "socket");
  arena.view.setUint16(address, AF_PACKET, true);
  arena.view.setUint16(address + 2, ALL_PROTOCOLS, true);
  arena.view.setInt32(address + 4, ifNameToIndex(device), true);
  checked(bind(fd, arena.address(address, ADDRESS_BYTES), ADDRESS_BYTES), `bind to ${device}`);
  return {
    receive() {
      const length = read(fd, arena.address(buffer, FRAME_BYTES), FRAME_BYTES);
      return length > 0 ? arena.bytes.slice(buffer, buffer + length) : undefined;
    },
    send(frame) {
      arena.bytes.set(frame, buffer);
      return write(fd, arena.address(buffer, frame.length), frame.length) >= 0;
    },
  };
}
