/**
 * Which descriptors the worker has open, in memory that the main thread sees as well.
 *
 * A worker that dies takes no descriptor with it: they belong to the process, and the TUN device and the ports stayed taken.
 * So the worker notes each one here, and the main thread closes what is left (`closeAll`).
 */
import { close } from "./libc.js";

/** TUN device, ICMP, netlink; per address IKE, IKE and ESP on the NAT traversal port, raw ESP (twice for IPv6): room for some 50 addresses. */
const SLOTS = 256;

/** Shared memory for `createDescriptors`. */
export function allocateDescriptors(): SharedArrayBuffer {
  return new SharedArrayBuffer(SLOTS * Int32Array.BYTES_PER_ELEMENT);
}

export interface Descriptors {
  /** Takes note of an open descriptor and gives it back. Throws `RangeError` (and closes it) when there are too many. */
  keep(fd: number): number;
  close(fd: number): void;
  closeAll(): void;
}

export function createDescriptors(shared: SharedArrayBuffer): Descriptors {
  const table = new Int32Array(shared); // fd + 1; 0: free
  return {
    keep(fd) {
      const slot = table.indexOf(0);
      if (slot < 0) {
        close(fd);
        throw new RangeError(`too many sockets: ${SLOTS} descriptors are open; configure fewer addresses`);
      }
      Atomics.store(table, slot, fd + 1);
      return fd;
    },
    close(fd) {
      const slot = table.indexOf(fd + 1);
      // Cleared first: the number may belong to somebody else as soon as it is closed.
      if (slot >= 0 && Atomics.exchange(table, slot, 0) !== 0) close(fd);
    },
    closeAll() {
      for (let slot = 0; slot < SLOTS; slot++) {
        const kept = Atomics.exchange(table, slot, 0);
        if (kept !== 0) close(kept - 1);
      }
    },
  };
}
