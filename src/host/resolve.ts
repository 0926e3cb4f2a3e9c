/** Finds the addresses of a peer, and for each our own address on the way to it. */
import { lookup } from "node:dns/promises";
import { type Address, formatAddress, parseAddress } from "../../esp/address.js";
import { HostError } from "./command.js";
import { sourceAddress } from "./state.js";

export interface ResolvedPeer {
  readonly remote: Address;
  readonly local: Address;
}

/** Rejects with a sentence for the operator when there is no such name or no route. */
export type Resolve = (name: string) => Promise<readonly ResolvedPeer[]>;

/** DNS (or an address as it is), and the source address of the route that packets with `mark` take; `own` replaces it for its family. */
export function createResolver(mark: number, own: Address | undefined): Resolve {
  const sources = createSources(mark);
  return async (name) => {
    const remotes = await addressesOf(name);
    const found: ResolvedPeer[] = [];
    for (const remote of remotes) {
      const local = own?.family === remote.family ? own : own ? undefined : await sources(remote);
      if (local) found.push({ remote, local });
    }
    if (found.length === 0)
      throw new HostError(
        own
          ? `${name} has no IPv${own.family} address, which gateway.address would need`
          : `there is no route to ${name} (ip route get shows the same)`,
      );
    return found;
  };
}

/** Milliseconds for which an answer counts: many tunnels to one peer ask at once. */
const FRESH = 1_000;
const MOST_ANSWERS = 1_000;

/** `sourceAddress`, asked once for all that want to know it of a peer at the same time. */
function createSources(mark: number): (remote: Address) => Promise<Address | undefined> {
  const answers = new Map<string, { readonly at: number; readonly answer: Promise<Address | undefined> }>();
  return (remote) => {
    const key = formatAddress(remote);
    const now = performance.now();
    const known = answers.get(key);
    if (known !== undefined && now - known.at < FRESH) return known.answer;
    if (answers.size >= MOST_ANSWERS) answers.clear();
    const answer = sourceAddress(remote, mark);
    answers.set(key, { at: now, answer });
    return answer;
  };
}

async function addressesOf(name: string): Promise<readonly Address[]> {
  try {
    return [parseAddress(name)];
  } catch {
    // Not an address: a name.
  }
  try {
    return (await lookup(name, { all: true, verbatim: true })).map(({ address }) => parseAddress(address));
  } catch (error) {
    throw new HostError(`the name ${name} cannot be resolved: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}
