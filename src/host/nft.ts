/**
 * The nftables rules of the gateway, in a table of its own: cleartext that comes from a covered range on another device
 * than the tunnel's is dropped (RFC 4301 section 5.2 wants inbound traffic checked against the policies). Pure.
 */
import { type Address, type Family, formatAddress, formatPrefix, type Prefix } from "../../esp/address.js";
import type { PolicyException } from "../../esp/exception.js";
import type { TrafficSelector } from "../../esp/selector.js";
import type { HostPlan } from "./plan.js";

/** The table's name, also for finding what a crashed run left. */
export function tableName(tun: string): string {
  return `causeway-${tun.replace(/[^A-Za-z0-9_.-]/g, "_")}`;
}

/** A script for `nft -f -` that puts the whole table in place in one transaction; undefined when there is nothing to guard. */
export function guardScript(plan: HostPlan): string | undefined {
  const { exceptions, leakProtection, marksOuter } = plan;
  // What comes out of the tunnel of another peer than the range's is cleartext as well.
  const guards = leakProtection && coveredRanges(plan).length > 0;
  if (exceptions.length === 0 && !guards && !marksOuter) return undefined;
  const name = tableName(plan.tun);
  const leaving = exceptions.map((exception) => exceptionRule(plan, exception, "out"));
  return [
    `add table inet ${name}`,
    `delete table inet ${name}`,
    `table inet ${name} {`,
    "  chain cleartext {",
    "    type filter hook prerouting priority mangle; policy accept;",
    `    iifname { "${plan.tun}", "lo" } accept`,
    ...leaving,
    ...exceptions.map((exception) => exceptionRule(plan, exception, "in")),
    ...(guards || marksOuter ? outerRules(plan) : []),
    ...(guards ? cleartextRules(plan) : []),
    "  }",
    ...(leaving.length === 0
      ? []
      : ["  chain own {", "    type route hook output priority mangle; policy accept;", ...leaving, "  }"]),
    "}",
    "",
  ].join("\n");
}

/** Of mappings: who routes something into a tunnel in route mode may have other ways for it. */
function coveredRanges({ routes }: HostPlan): readonly Prefix[] {
  return routes.filter(({ own }) => own === undefined).map(({ prefix }) => prefix);
}

/** IKE and ESP are no cleartext. */
function outerRules({ peersInside, mark, marksOuter, ports }: HostPlan): readonly string[] {
  const verdict = marksOuter ? `meta mark set ${mark} accept` : "accept";
  return [
    // With the mark a strict reverse path filter looks the peer up where its packets really come from.
    ...ruleFor(peersInside.map(toHost), "saddr", `meta mark set ${mark} accept`),
    // Wherever a peer without a fixed address may be.
    `    udp dport { ${ports.join(", ")} } ${verdict}`,
    `    meta l4proto esp ${verdict}`,
  ];
}

function cleartextRules(plan: HostPlan): readonly string[] {
  return [...ruleFor(plan.direct, "saddr", "accept"), ...ruleFor(coveredRanges(plan), "saddr", "counter drop")];
}

/**
 * A bypass gets the mark of our own sockets, which leads it past the tunnel's routes, and its answers past a strict reverse path
 * filter. What is to be dropped goes on to the tunnel, which counts it; where it comes in clear it is dropped here.
 */
function exceptionRule(plan: HostPlan, { action, local, peer }: PolicyException, way: "out" | "in"): string {
  const [from, to] = way === "out" ? [local, peer] : [peer, local];
  const verdict = action === "bypass" ? `meta mark set ${plan.mark} accept` : way === "out" ? "accept" : "counter drop";
  const ip = local.family === 4 ? "ip" : "ip6";
  const protocol = local.protocol === 0 ? "" : `meta l4proto ${local.protocol} `;
  const ports = `${portMatch("sport", from)}${portMatch("dport", to)}`;
  return `    ${ip} saddr ${rangeWords(from)} ${ip} daddr ${rangeWords(to)} ${protocol}${ports}${verdict}`;
}

function rangeWords({ family, start, end }: TrafficSelector): string {
  const first = formatAddress({ family, value: start });
  return start === end ? first : `${first}-${formatAddress({ family, value: end })}`;
}

function portMatch(which: "sport" | "dport", { startPort, endPort }: TrafficSelector): string {
  if (startPort === 0 && endPort === 65535) return "";
  return `th ${which} ${startPort === endPort ? startPort : `${startPort}-${endPort}`} `;
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
