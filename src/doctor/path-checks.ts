/** Judges the way to a peer: routes, the packet filter, what answered. Pure. */

import { formatAddress, parseAddress } from "../../esp/address.js";
import type { MappingSetup, Setup, TunnelSetup } from "../control/diagnosis.js";
import type { TunnelStatus } from "../control/status-model.js";
import { type Finding, fault, good, unknown, warning } from "./finding.js";
import { type FilteredPacket, filter } from "./firewall.js";
import type { HostFacts, RouteFact } from "./host-facts.js";
import type { PathFacts } from "./path-facts.js";

/** What is known of one tunnel's way. */
export interface TunnelWay {
  readonly tunnel: TunnelSetup;
  /** Of the peer; absent: it may be anybody, or its name is not known. */
  readonly remote?: string;
  /** To the peer; absent: there is none. */
  readonly outer?: RouteFact;
  /** To the target of each mapping; undefined: there is none. */
  readonly inner: readonly (RouteFact | undefined)[];
  readonly path?: PathFacts;
  /** Of the running daemon. */
  readonly status?: TunnelStatus;
}

export function checkWay(setup: Setup, facts: HostFacts, way: TunnelWay): readonly Finding[] {
  const { tunnel, remote } = way;
  if (remote === undefined)
    return tunnel.peer === null
      ? []
      : [
          fault(
            "name",
            `the name ${tunnel.peer} cannot be resolved`,
            "look at /etc/resolv.conf, or write the peer's address",
            tunnel.name,
          ),
        ];
  return [
    ...checkOuterRoute(setup, facts, way, remote),
    ...checkFirewall(setup, facts, way, remote),
    ...checkAnswers(way, remote),
    ...checkNat(way),
    ...checkWidth(way, remote),
    ...checkInnerRoutes(setup, facts, way),
  ];
}

function checkOuterRoute(
  { address }: Setup,
  facts: HostFacts,
  { tunnel, outer }: TunnelWay,
  remote: string,
): Finding[] {
  const { name } = tunnel;
  if (outer === undefined)
    return [
      fault(
        "route",
        `there is no route to the peer ${remote}`,
        `add one, or a default route ("ip route get ${remote}" shows the same)`,
        name,
      ),
    ];
  const own = address ?? outer.source;
  const home = facts.addresses.find((one) => formatAddress(one.address) === own);
  if (own !== undefined && home === undefined)
    return [
      fault(
        "address",
        `${own}, which this gateway sends from, is on no interface of this host`,
        "behind a 1:1 NAT gateway.address is the inner address, and local_id the public one",
        name,
      ),
    ];
  // Packets of the peer come in where our address is; a strict filter wants them where the route to the peer leads.
  if (home !== undefined && home.device !== outer.device && home.device !== "lo" && isStrict(facts, home.device))
    return [
      fault(
        "reverse-path",
        `packets of the peer ${remote} come in on ${home.device}, which has ${own}, and the route back leads through ${outer.device}: ` +
          `the strict reverse path filter (rp_filter 1) of ${home.device} drops them${dropped(facts)}`,
        `sysctl -w net.ipv4.conf.${home.device}.rp_filter=2 (and net.ipv4.conf.all.rp_filter, if that is 1), or route to the peer through ${home.device}`,
        name,
      ),
    ];
  return [good("route", `the route to the peer ${remote} leads through ${outer.device}`, name)];
}

function isStrict({ reversePath }: HostFacts, device: string): boolean {
  return Math.max(reversePath.get("all") ?? 0, reversePath.get(device) ?? 0) === 1;
}

function dropped({ reversePathDrops }: HostFacts): string {
  return reversePathDrops ? ` (${reversePathDrops} packets so far)` : "";
}

function checkFirewall(setup: Setup, facts: HostFacts, way: TunnelWay, remote: string): Finding[] {
  const { tunnel, outer } = way;
  if (facts.ruleset === undefined || outer === undefined) return [];
  const { name } = tunnel;
  const { family } = parseAddress(remote);
  const own = setup.address ?? outer.source ?? (family === 4 ? "0.0.0.0" : "::");
  const state = tunnel.start === "passive" ? "new" : "established";
  const out = { hook: "output", family, source: own, destination: remote, out: outer.device, state: "new" } as const;
  const back = { hook: "input", family, source: remote, destination: own, in: outer.device, state } as const;
  const ports = [
    [setup.ports.ike, 500],
    [setup.ports.natT, 4500],
  ] as const;
  const questions: (readonly [string, string, FilteredPacket])[] = ports.flatMap(([ours, theirs]) => [
    [
      `udp-${theirs}-filtered`,
      `UDP port ${theirs} to the peer`,
      { ...out, protocol: "udp", sourcePort: ours, destinationPort: theirs },
    ],
    [
      `udp-${theirs}-filtered`,
      `UDP port ${ours} from the peer`,
      { ...back, protocol: "udp", sourcePort: theirs, destinationPort: ours },
    ],
  ]);
  if (usesRawEsp(way))
    questions.push(
      ["esp-filtered", "ESP (protocol 50) to the peer", { ...out, protocol: "esp" }],
      ["esp-filtered", "ESP (protocol 50) from the peer", { ...back, protocol: "esp" }],
    );
  const findings = questions.flatMap(([code, what, packet]) => {
    const { verdict, rule } = filter(facts.ruleset, packet);
    if (verdict !== "dropped") return [];
    return [fault(code, `this host's packet filter drops ${what}: ${rule}`, "permit it in front of that rule", name)];
  });
  for (const mapping of tunnel.mappings) findings.push(...checkInnerFilter(facts, tunnel, mapping));
  return findings.length > 0
    ? findings
    : [good("firewall", "the packet filter lets IKE, ESP and the tunnel's packets pass, as far as can be seen", name)];
}

/** Packets of the networks behind this host. */
function checkInnerFilter({ ruleset }: HostFacts, { name, tun }: TunnelSetup, mapping: MappingSetup): Finding[] {
  const { family, target, local, source } = mapping;
  const host = /\/0$/.test(local) ? (source ?? undefined) : firstOf(local);
  if (host === undefined) return [];
  const packet = { family, protocol: "icmp", state: "new" } as const;
  const out = { ...packet, hook: "forward", source: host, destination: target, out: tun } as const;
  const back = {
    ...packet,
    hook: "forward",
    source: target,
    destination: host,
    in: tun,
    state: "established",
  } as const;
  const findings: Finding[] = [];
  for (const [what, one] of [
    [`from ${local} into the tunnel`, out],
    [`from the tunnel to ${local}`, back],
  ] as const) {
    const { verdict, rule } = filter(ruleset, one);
    if (verdict === "dropped")
      findings.push(
        fault(
          "forward-filtered",
          `this host's packet filter drops packets ${what}: ${rule}`,
          `permit what is forwarded to and from ${tun}`,
          name,
        ),
      );
  }
  const translated = filter(ruleset, { ...out, hook: "postrouting" });
  if (translated.verdict === "translated")
    findings.push(
      fault(
        "nat-hits-tunnel",
        `this host translates the addresses of packets before they enter the tunnel, so no mapping covers them: ${translated.rule}`,
        `exempt what leaves through ${tun}: a rule 'oifname "${tun}" accept' in front of that one`,
        name,
      ),
    );
  return findings;
}

function firstOf(range: string): string | undefined {
  const [start] = range.split(/[/\s-]/);
  try {
    parseAddress(start!);
    return start;
  } catch {
    return undefined;
  }
}

function checkAnswers({ tunnel, path, status }: TunnelWay, remote: string): Finding[] {
  if (path === undefined) return [];
  const { name } = tunnel;
  const up = status?.state === "established";
  const { ike, natT } = path;
  if (ike === true && natT === true)
    return [good("peer", `the peer ${remote} answers IKE on UDP ports 500 and 4500`, name)];
  if (ike === true) {
    const needed = !up || usesUdp({ tunnel, ...(status && { status }) });
    const what = `the peer ${remote} answers IKE on UDP port 500 and not on 4500${said(natT)}: something on the way, or at the peer, blocks UDP port 4500`;
    const remedy =
      "permit UDP port 4500 in both directions on every firewall between the two; NAT traversal and MOBIKE need it";
    return [(needed ? fault : warning)("udp-4500-blocked", what, remedy, name)];
  }
  if (natT === true)
    return [
      (up ? warning : fault)(
        "udp-500-blocked",
        `the peer ${remote} answers IKE on UDP port 4500 and not on 500${said(ike)}: something on the way, or at the peer, blocks UDP port 500`,
        "permit UDP port 500 in both directions on every firewall between the two",
        name,
      ),
    ];
  if (up) return [unknown("peer", `the peer ${remote} does not answer strangers, so the path was not looked at`, name)];
  if (ike === "ECONNREFUSED")
    return [
      fault(
        "peer-closed",
        `the host ${remote} is there, and no IKE daemon listens on it`,
        "start the peer's IPsec daemon",
        name,
      ),
    ];
  return [
    fault(
      "peer-silent",
      `the peer ${remote} does not answer IKE on UDP ports 500 and 4500${said(ike)}`,
      "is that its address, does it know ours, and do the firewalls between the two permit UDP ports 500 and 4500?",
      name,
    ),
  ];
}

function said(answer: boolean | string): string {
  return typeof answer === "string" ? ` (${answer})` : "";
}

function usesUdp({ tunnel, status }: Pick<TunnelWay, "tunnel" | "status">): boolean {
  return (
    tunnel.encapsulation === "udp" || (status?.children.some(({ encapsulation }) => encapsulation === "udp") ?? false)
  );
}

function usesRawEsp(way: TunnelWay): boolean {
  return way.tunnel.encapsulation !== "udp" && !usesUdp(way);
}

function checkNat({ tunnel, path, status }: TunnelWay): Finding[] {
  if (path?.nat === undefined) return [];
  const { name } = tunnel;
  const bare = status?.children.some(({ encapsulation }) => encapsulation === "esp") ?? false;
  const remedy =
    `causeway down ${name}, then causeway up ${name}; "encapsulation: udp" where the NAT comes and goes, ` +
    "and ike.mobike lets IKEv2 follow by itself";
  if (path.nat === "refused") {
    if (!bare) return [];
    return [
      fault(
        "nat-without-encapsulation",
        "the peer, with which the tunnel is up, refuses the same offer now: it sees another address than before, so a NAT has come on the way, " +
          "and the tunnel sends ESP without UDP encapsulation, which NATs lose",
        remedy,
        name,
      ),
    ];
  }
  if (path.nat === "none") return [good("nat", "there is no NAT on the way to the peer", name)];
  const where = { here: "on our side", peer: "on the peer's side", both: "on both sides" }[path.nat];
  if (!bare) return [good("nat", `there is a NAT ${where}; ESP travels in UDP`, name)];
  return [
    fault(
      "nat-without-encapsulation",
      `there is a NAT ${where}, and the tunnel sends ESP without UDP encapsulation, which NATs lose: the NAT has come since the tunnel is up`,
      remedy,
      name,
    ),
  ];
}

function checkWidth({ tunnel, path }: TunnelWay, remote: string): Finding[] {
  const { name } = tunnel;
  if (path?.blackHole) {
    const { passes, lost } = path.blackHole;
    return [
      fault(
        "mtu-black-hole",
        `packets of ${passes} octets reach the peer ${remote}, those of ${lost} are lost, and no router says so: large packets hang in this tunnel`,
        `permit ICMP "fragmentation needed" (IPv6: "packet too big") on the way, or set esp.mtu of the tunnel so that its packets fit ${passes} octets outside`,
        name,
      ),
    ];
  }
  if (path?.passes === undefined) return [];
  return [good("mtu", `packets of ${path.passes} octets reach the peer ${remote} whole`, name)];
}

function checkInnerRoutes({ table }: Setup, facts: HostFacts, { tunnel, inner, status }: TunnelWay): Finding[] {
  const { name, mappings, tun } = tunnel;
  if (status === undefined || mappings.length === 0) return [];
  const findings = mappings.flatMap((mapping, i) => {
    const route = inner[i];
    if (route?.device === tun) return [];
    const where = route === undefined ? "nowhere" : `through ${route.device}`;
    return [
      fault(
        "route",
        `packets for ${mapping.peer} are led ${where}, not into ${tun}`,
        route === undefined
          ? `the route is missing from table ${table}: "ip route replace ${mapping.peer} dev ${tun} table ${table}", or restart the daemon; find out who removes it`
          : `another rule or route comes first ("ip rule", "ip route get ${mapping.target}"): remove it`,
        name,
      ),
    ];
  });
  if (findings.length > 0) return findings;
  const strict = isStrict(facts, tun) && mappings.some(({ family }) => family === 4);
  return [
    good(
      "inner-route",
      `packets for the peer's networks are led into ${tun}${strict ? " (whose strict reverse path filter agrees)" : ""}`,
      name,
    ),
  ];
}
