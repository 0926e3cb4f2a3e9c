/**
 * What routers say about the paths to the peers: "fragmentation needed" (RFC 1191) and "packet too big" (RFC 8201). Time is in
 * milliseconds, monotonic.
 *
 * Nobody signs these messages. What is believed only ever lowers an estimate, never below what every path carries, and
 * is forgotten after ten minutes.
 */
import { type Address, addressOctets, type Path } from "./address.js";
import { LEAST_MTU } from "./mtu.js";

/** A router's message about a packet of ours. */
export interface Narrowing {
  /** The next-hop MTU; 0: the router is older than RFC 1191 and does not say. */
  readonly mtu: number;
  /** Octets of our packet, as its quoted header says. */
  readonly quotedBytes: number;
  /** The quote goes as far as our SPI, which somebody beside the path cannot know. */
  readonly verified: boolean;
}

export interface PathMtus {
  /** The MTU of the path, of which the first link takes `local` octets. */
  get(path: Path, local: number, now: number): number;
  /** Takes a message about a packet that this host sent on the path. Whether it is believed. */
  narrow(path: Path, narrowing: Narrowing, now: number): boolean;
  /** Paths with an estimate. */
  readonly size: number;
}

/** RFC 1191 section 6.3, RFC 8201 section 4: ten minutes without a message, then the full size is tried again. */
export const PATH_MTU_MILLISECONDS = 600_000;
/** Whoever says so without a proof is believed down to this: what IPv6, and with it nearly every link, carries. */
const LEAST_UNVERIFIED = 1280;
const MOST_PATHS = 4096;

/** RFC 1191 section 7. */
const PLATEAUS = [32000, 17914, 8166, 4352, 2002, 1492, 1006, LEAST_MTU[4]] as const;

export function createPathMtus(): PathMtus {
  const estimates = new Map<string, { mtu: number; at: number }>();

  function current(path: Path, now: number): number {
    const name = nameOf(path);
    const estimate = estimates.get(name);
    if (estimate === undefined) return Number.POSITIVE_INFINITY;
    if (now - estimate.at < PATH_MTU_MILLISECONDS) return estimate.mtu;
    estimates.delete(name);
    return Number.POSITIVE_INFINITY;
  }

  return {
    get: (path, local, now) => Math.min(local, current(path, now)),
    narrow(path, narrowing, now) {
      const { family } = path.remote.address;
      const mtu = believable(narrowing, family);
      if (mtu === undefined) return false;
      const before = current(path, now);
      // About a packet that was on its way when the path was known to be narrower: true, and no news.
      if (mtu > before) return false;
      estimates.delete(nameOf(path));
      if (estimates.size >= MOST_PATHS) estimates.delete(estimates.keys().next().value!);
      estimates.set(nameOf(path), { mtu, at: now });
      return true;
    },
    get size() {
      return estimates.size;
    },
  };
}

/** What a message lets a path take; undefined: it cannot be true. */
function believable({ mtu: told, quotedBytes, verified }: Narrowing, family: 4 | 6): number | undefined {
  const mtu = told === 0 && family === 4 ? PLATEAUS.find((plateau) => plateau < quotedBytes) : told;
  if (mtu === undefined || mtu >= quotedBytes) return undefined;
  // RFC 8201 section 4: a smaller one is discarded.
  if (family === 6) return mtu < LEAST_MTU[6] ? undefined : mtu;
  return Math.max(mtu, verified ? LEAST_MTU[4] : LEAST_UNVERIFIED);
}

/** Ports do not choose a path. */
function nameOf({ local, remote }: Path): string {
  return `${octetsOf(local.address)}/${octetsOf(remote.address)}`;
}

function octetsOf(address: Address): string {
  return addressOctets(address).join(".");
}
