/**
 * The nftables rules of the gateway, in a table of its own: cleartext that comes from a covered range on another device
 * than the tunnel's is dropped (RFC 4301 section 5.2 wants inbound traffic checked against the policies). Pure.
 */
import { type Address, type Family, formatAddress, formatPrefix, type Prefix } from "../../esp/address.js";
import type { HostPlan } from "./plan.js";

/** The table's name, also for finding what a crashed run left. */
export function tableName(tun: string): string {
  return `causeway-${tun.replace(/[^A-Za-z0-9_.-]/g, "_")}`;
}

/** A script for `nft -f -` that puts the whole table in place in one transaction; undefined when there is nothing to guard. */
export function guardScript(plan: HostPlan): string | undefined {
  if (!plan.leakProtection || plan.routes.length === 0) return undefined;
  const name = tableName(plan.tun);
  return [
    `add table inet ${name}`,
    `delete table inet ${name}`,
    `table inet ${name} {`,
    "  chain cleartext {",
    "    type filter hook prerouting priority mangle; policy accept;",
    `    iifname { "${plan.tun}", "lo" } accept`,
    // With the mark a strict reverse path filter looks the peer up where its packets really come from.
    ...ruleFor(plan.peersInside.map(toHost), "saddr", `meta mark set ${plan.mark} accept`),
    // IKE and ESP are no cleartext, wherever a peer without a fixed address may be.
    `    udp dport { ${plan.ports.join(", ")} } accept`,
    "    meta l4proto esp accept",
    ...ruleFor(plan.direct, "saddr", "accept"),
    ...ruleFor(
      plan.routes.map(({ prefix }) => prefix),
      "saddr",
      "counter drop",
    ),
    "  }",
    "}",
    "",
  ].join("\n");
}

/** Removes the table; `add` first, so that it is no error when there is none. */
export function removeScript(tun: string): string {
  const name = tableName(tun);
  return `add table inet ${name}\ndelete table inet ${name}\n`;
}

function ruleFor(prefixes: readonly Prefix[], field: string, verdict: string): string[] {
  const rule = (family: Family): string[] => {
    const members = withoutContained(prefixes.filter((prefix) => prefix.family === family));
    if (members.length === 0) return [];
    return [`    ${family === 4 ? "ip" : "ip6"} ${field} { ${members.map(nftPrefix).join(", ")} } ${verdict}`];
  };
  return [...rule(4), ...rule(6)];
}

/** An anonymous set of intervals must not overlap. */
function withoutContained(prefixes: readonly Prefix[]): Prefix[] {
  return prefixes.filter(
    (inner, i) =>
      !prefixes.some(
        (outer, k) =>
          k !== i &&
          (outer.length < inner.length || (outer.length === inner.length && k < i)) &&
          contains(outer, inner),
      ),
  );
}

function contains(outer: Prefix, inner: Prefix): boolean {
  const shift = BigInt((outer.family === 4 ? 32 : 128) - outer.length);
  return inner.value >> shift === outer.value >> shift;
}

function nftPrefix(prefix: Prefix): string {
  return prefix.length === (prefix.family === 4 ? 32 : 128) ? formatAddress(prefix) : formatPrefix(prefix);
}

function toHost(address: Address): Prefix {
  return { ...address, length: address.family === 4 ? 32 : 128 };
}
