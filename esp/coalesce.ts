/**
 * Merges opened packets of one flow into super packets before they are written to the TUN device: consecutive TCP
 * segments, UDP datagrams of equal size. What the receiver sees is as if each had been written alone.
 */
import type { Arena } from "../crypto/interfaces.js";
import type { Checksum } from "./checksum.js";

/** Writes the virtio header and packet that stand together at `at`, `length` octets in all. */
export type WriteTun = (at: number, length: number) => void;

export interface Coalescer {
  /** Where the next packet has to be decrypted to: room for 65535 octets and ESP trailer, the virtio header before it. */
  target(): number;
  /** Takes over the packet of `length` octets at `target()`. Writes whatever it closes. */
  add(length: number): void;
  /** Writes everything that is held. Call when nothing more is there to be opened. */
  flush(): void;
}

/** `udp`: whether the TUN device takes UDP super packets (TUN_F_USO4 and TUN_F_USO6). */
export declare function createCoalescer(arena: Arena, checksum: Checksum, udp: boolean, write: WriteTun): Coalescer;
