/** Cuts what the TUN device hands over (TSO, USO, partial checksums) into packets as they travel. */
import type { Arena } from "../crypto/interfaces.js";
import type { Checksum } from "./checksum.js";

export interface Segmenter {
  /**
   * Takes the packet of `length` octets at `packet` with its virtio header at `virtio`; the octets of the packet's headers
   * may be changed. The number of segments, or minus a drop code (`badOffload`, `malformed`).
   */
  start(virtio: number, packet: number, length: number): number;
  /** The length of the longest segment of the packet that was started. */
  longest(): number;
  /** Writes the next segment, complete with checksums, to `to` (not inside the packet). Its length; 0: there are no more. */
  next(to: number): number;
  /**
   * For packets of one segment (gso type none): finishes the partial checksum where the packet stands, so that it need not be
   * copied. 0, or a drop code (`badOffload`, `malformed`).
   */
  finishInPlace(virtio: number, packet: number, length: number): number;
}

export declare function createSegmenter(arena: Arena, checksum: Checksum): Segmenter;
