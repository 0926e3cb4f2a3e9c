/**
 * How many handshakes that others began may wait unfinished: the bound on what strangers make us remember and compute
 * (RFC 7296 section 2.6, `architecture.md` section 9, 14).
 */
import { type Path, sameAddress } from "../../esp/address.js";
import type { Policy } from "./policy.js";
import { isExpected } from "./policy-index.js";
import type { SaTable } from "./sa-table.js";

/** "low": welcome. "high": a cookie has to show that the sender is where it says. "full": nothing more. */
export type HalfOpenLoad = "low" | "high" | "full";

/** Cookies are asked for from this share of a limit on: forged addresses cost us key exchanges and memory up to here. */
const COOKIE_SHARE = 8;

/**
 * The load for one more request from this path, of a kind that may fill the limits divided by `share`. The limit for all is one for strangers: a peer with a configured address is held
 * to the limit of its own address alone, so that nobody else can lock it out.
 */
export function halfOpenLoad(sas: SaTable, policy: Policy, { remote: { address } }: Path, share = 1): HalfOpenLoad {
  const { halfOpen, halfOpenPerAddress } = policy.limits;
  const expected = isExpected(policy, address);
  const near = sas.halfOpenNear(address);
  const here = expected ? near.filter((sa) => sameAddress(sa.path.remote.address, address)).length : near.length;
  const all = sas.halfOpen;
  if (here >= halfOpenPerAddress / share || (all >= halfOpen / share && !expected)) return "full";
  return all >= cookiesFrom(halfOpen) || here >= cookiesFrom(halfOpenPerAddress) ? "high" : "low";
}

function cookiesFrom(limit: number): number {
  return Math.floor(limit / COOKIE_SHARE);
}
