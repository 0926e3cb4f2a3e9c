/** The outer addresses of all peers: a packet from the TUN device to one of them would run in a circle. */
import { type Address, addressWords } from "./address.js";
import type { IpHeader } from "./ip-header.js";

export interface PeerAddresses {
  /** An address may be added several times; it stays until it was removed as often. */
  add(address: Address): void;
  remove(address: Address): void;
  /** Whether the packet goes to one of them. */
  has(header: IpHeader): boolean;
}

interface Counted {
  readonly words: readonly number[];
  count: number;
}

export function createPeerAddresses(): PeerAddresses {
  // By the last word, signed: a look-up without allocation that almost never finds anything.
  const byLastWord = new Map<number, Counted[]>();

  function lookUp({ family, value }: Address): { list: Counted[]; found: Counted } {
    const words = addressWords(family, value);
    const last = words[words.length - 1]! | 0;
    const list = byLastWord.get(last) ?? [];
    byLastWord.set(last, list);
    let found = list.find((counted) => counted.words.join() === words.join());
    if (found === undefined) {
      found = { words, count: 0 };
      list.push(found);
    }
    return { list, found };
  }

  return {
    add(address) {
      lookUp(address).found.count++;
    },
    remove(address) {
      const { list, found } = lookUp(address);
      found.count--;
      if (found.count <= 0) list.splice(list.indexOf(found), 1);
      if (list.length === 0) byLastWord.delete(found.words[found.words.length - 1]! | 0);
    },
    has({ family, destination }) {
      const length = family === 4 ? 1 : 4;
      const list = byLastWord.get(destination[length - 1]! | 0);
      if (list === undefined) return false;
      return list.some(({ words }) => words.length === length && words.every((word, i) => word === destination[i]));
    },
  };
}
