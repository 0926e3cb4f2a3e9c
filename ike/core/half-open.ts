/**
 * How many handshakes that others began may wait unfinished: the bound on what strangers make us remember and compute
 * (RFC 7296 section 2.6, `architecture.md` section 9, 14).
 */
import { type Address, type Path, sameAddress } from "../../esp/address.js";
import type { IkeKey } from "./context.js";
import type { Policy } from "./policy.js";
import { type AnySa, isHalfOpen } from "./sas.js";

/** "low": welcome. "high": a cookie has to show that the sender is where it says. "full": nothing more. */
export type HalfOpenLoad = "low" | "high" | "full";

/** Cookies are asked for from this share of a limit on: forged addresses cost us key exchanges and memory up to here. */
const COOKIE_SHARE = 8;

/**
 * The load for one more request from this path, of a kind that may fill the limits divided by `share`. The limit for all is one for strangers: a peer with a configured address is held
 * to the limit of its own address alone, so that nobody else can lock it out.
 */
export function halfOpenLoad(
  sas: ReadonlyMap<IkeKey, AnySa>,
  { tunnels, limits: { halfOpen, halfOpenPerAddress } }: Policy,
  { remote: { address } }: Path,
  share = 1,
): HalfOpenLoad {
  const isExpected = tunnels.some(({ peer }) => peer.kind === "address" && sameAddress(peer.address, address));
  const isSame = isExpected ? sameAddress : sameHolder;
  let all = 0;
  let here = 0;
  for (const sa of sas.values()) {
    if (!isHalfOpen(sa)) continue;
    all++;
    if (isSame(sa.path.remote.address, address)) here++;
  }
  if (here >= halfOpenPerAddress / share || (all >= halfOpen / share && !isExpected)) return "full";
  return all >= cookiesFrom(halfOpen) || here >= cookiesFrom(halfOpenPerAddress) ? "high" : "low";
}

function cookiesFrom(limit: number): number {
  return Math.floor(limit / COOKIE_SHARE);
}

/** Whoever has an IPv6 address has a whole /64 of them. */
function sameHolder(a: Address, b: Address): boolean {
  return a.family === 6 && b.family === 6 ? a.value >> 64n === b.value >> 64n : sameAddress(a, b);
}
