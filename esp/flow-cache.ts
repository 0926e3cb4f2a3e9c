/**
 * Remembers what was found for the last flows, so that a search among many pairs is made once for each. One place for each hash: a
 * flow that falls on the place of another one takes it. What is remembered never changes, so it belongs to one unchanging index.
 */
import type { IpHeader } from "./ip-header.js";

/** Places; a power of two. 20 KiB of keys: they stay in the cache of a processor. */
const PLACES = 512;
const HASH_SHIFT = 32 - Math.log2(PLACES);
/** Family and protocol, ports, four words of each address. */
const WORDS = 10;
const EMPTY = -1;

/** Source and destination of one network would cancel each other out. */
function half(word: number): number {
  return (word << 16) | (word >>> 16);
}

/** The search, with a memory. What finds nothing (negative) is not remembered, nor what shows no ports. */
export function withFlowCache(search: (header: IpHeader) => number): (header: IpHeader) => number {
  const keys = new Uint32Array(PLACES * WORDS);
  const found = new Int32Array(PLACES).fill(EMPTY);

  function isSame(at: number, kind: number, ports: number, h: IpHeader): boolean {
    if (keys[at] !== kind || keys[at + 1] !== ports) return false;
    const { source, destination } = h;
    if (keys[at + 2] !== source[0] || keys[at + 6] !== destination[0]) return false;
    if (h.family === 4) return true;
    for (let i = 1; i < 4; i++) if (keys[at + 2 + i] !== source[i] || keys[at + 6 + i] !== destination[i]) return false;
    return true;
  }

  return (h) => {
    const { source, destination, sourcePort, destinationPort } = h;
    if (sourcePort < 0 || destinationPort < 0) return search(h);
    const kind = (h.protocol << 4) | h.family;
    const ports = ((sourcePort << 16) | destinationPort) >>> 0;
    let mixed = source[0]! ^ ports ^ kind ^ half(destination[0]!);
    if (h.family === 6)
      mixed ^= source[1]! ^ source[2]! ^ source[3]! ^ half(destination[1]! ^ destination[2]! ^ destination[3]!);
    const place = Math.imul(mixed, 0x9e3779b1) >>> HASH_SHIFT;
    const at = place * WORDS;
    if (found[place] !== EMPTY && isSame(at, kind, ports, h)) return found[place]!;
    const result = search(h);
    if (result < 0) return result;
    found[place] = result;
    keys[at] = kind;
    keys[at + 1] = ports;
    for (let i = 0; i < 4; i++) {
      keys[at + 2 + i] = source[i]!;
      keys[at + 6 + i] = destination[i]!;
    }
    return result;
  };
}
