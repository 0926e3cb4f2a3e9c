/**
 * How wide the paths to the peers are. With ICMP sockets of our own: the first link, and what routers said that can be believed. Without
 * them (no CAP_NET_RAW): what the kernel knows.
 */
import type { Path } from "../../esp/address.js";
import { createPathMtus, type Narrowing } from "../../esp/path-mtu.js";
import type { FirstLink } from "./first-link.js";
import type { SocketCalls } from "./socket-options.js";

export interface PathWidth {
  /** Octets of an outer IP packet. `now`: milliseconds, monotonic. */
  of(path: Path, now: number): number;
  /** See `PathMtus.narrow`. */
  narrow(path: Path, narrowing: Narrowing, now: number): boolean;
}

/** Where there is no route (yet): Ethernet. */
const USUAL_MTU = 1500;

/** `firstLink` undefined: the kernel minds the paths. */
export function createPathWidth(
  calls: Pick<SocketCalls, "pathMtu">,
  firstLink: FirstLink | undefined,
  mark: number,
): PathWidth {
  const told = createPathMtus();
  const kernel = ({ remote, local }: Path) => calls.pathMtu(remote, local.address, mark) ?? USUAL_MTU;
  if (firstLink === undefined) return { of: kernel, narrow: () => false };
  return {
    of(path, now) {
      const { remote, local } = path;
      const link = firstLink.mtu(remote.address, local.address, mark) ?? kernel(path);
      return told.get(path, link, now);
    },
    narrow: (path, narrowing, now) => told.narrow(path, narrowing, now),
  };
}
