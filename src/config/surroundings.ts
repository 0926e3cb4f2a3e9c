/** What the configuration asks of the host it stands on: tests hand in a host of their own. */
import { readFileSync, statSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { type Address, parseAddress } from "../../esp/address.js";

export interface Surroundings {
  readonly hostname: string;
  /** The addresses of this host's interfaces. */
  readonly addresses: readonly Address[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** At most `most` octets of a file and whether every user may read it; throws what `node:fs` throws. */
  readonly readSecretFile: (path: string, most: number) => { readonly octets: Uint8Array; readonly openToAll: boolean };
}

export function thisHost(): Surroundings {
  return {
    hostname: hostname(),
    addresses: Object.values(networkInterfaces()).flatMap((each) =>
      (each ?? []).map(({ address }) => parseAddress(address.split("%")[0]!)),
    ),
    env: process.env,
    readSecretFile(path, most) {
      const { size, mode } = statSync(path);
      if (size > most) throw new RangeError(`it has ${size} octets; at most ${most} are read`);
      const octets = readFileSync(path);
      if (octets.length > most) throw new RangeError(`it has more than ${most} octets`);
      return { octets, openToAll: (mode & 0o004) !== 0 };
    },
  };
}
