/**
 * Two sites. Documentation addresses outside, private ones inside, IPv4 and IPv6 both.
 *
 *   direct    near-host -- near ====== far -- far-host          the peer's namespace is `far`
 *   router    near-host -- near == router == far -- far-host    `router` translates for the side behind it, or has a narrow link
 *   guest     the same, but `far` only bridges its links to a guest machine, which is the peer
 */
import { must } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";
import type { Who } from "./scenario.js";

export interface SiteAddresses {
  readonly outer: { readonly 4: string; readonly 6: string };
  /** The gateway's own address inside, the host's, and the network. */
  readonly gateway: { readonly 4: string; readonly 6: string };
  readonly host: { readonly 4: string; readonly 6: string };
  readonly net: { readonly 4: string; readonly 6: string };
  /** Parts of the IPv4 network with an address of the gateway and a host in each, for tunnels with several mappings. */
  readonly parts: readonly { readonly net: string; readonly gateway: string; readonly host: string }[];
}

export interface Topology {
  readonly namespaces: Namespaces;
  readonly addresses: Readonly<Record<Who, SiteAddresses>>;
  /** The address and the routes of the peer's two interfaces, for a guest that sets them itself. */
  readonly peerNetwork: {
    readonly outer: readonly string[];
    readonly inner: readonly string[];
    readonly routers: readonly string[];
  };
  /** The MTU of the link between the router and the peer. */
  narrow(mtu: number): Promise<void>;
  /** Translates what `who` sends to address and ports of the router's other side; what was known is forgotten. */
  translate(who: Who): Promise<void>;
  /** Takes the IPv4 outer address of `who` away and gives it the next one; `home` gives every side its first one back. */
  readdress(who: Who): Promise<void>;
  home(): Promise<void>;
  /** Nothing passes between the gateways any more, and nobody is told; or it does again. */
  cut(isCut: boolean): Promise<void>;
  /** From now on the router forwards no IP fragments, in either direction. */
  dropFragments(): Promise<void>;
  close(): Promise<void>;
}

/** Namespace names by what stands there. */
export const NAMESPACE = { ours: "near", peer: "far" } as const;
export const HOST = { ours: "near-host", peer: "far-host" } as const;
/** The guest's taps, in the order of its interfaces. */
export const GUEST_TAPS = ["tap-outer", "tap-inner"] as const;

const OURS: SiteAddresses = {
  outer: { 4: "192.0.2.1", 6: "2001:db8::1" },
  gateway: { 4: "10.81.1.1", 6: "fd81:1::1" },
  host: { 4: "10.81.1.10", 6: "fd81:1::10" },
  net: { 4: "10.81.1.0/24", 6: "fd81:1::/64" },
  parts: partsOf("10.81.1"),
};
const PEERS: SiteAddresses = {
  outer: { 4: "192.0.2.2", 6: "2001:db8::2" },
  gateway: { 4: "10.81.2.1", 6: "fd81:2::1" },
  host: { 4: "10.81.2.10", 6: "fd81:2::10" },
  net: { 4: "10.81.2.0/24", 6: "fd81:2::/64" },
  parts: partsOf("10.81.2"),
};
const BEHIND_ROUTER = { 4: "198.51.100.2", 6: "2001:db8:1::2" };
const ROUTER = {
  ours: { 4: "192.0.2.254", 6: "2001:db8::fe" },
  peer: { 4: "198.51.100.254", 6: "2001:db8:1::fe" },
};

export interface TopologyOptions {
  readonly router: boolean;
  readonly guest: boolean;
  /** Makes the namespace of a gateway, and names a process in it; without it they are made here. */
  readonly hold?: (name: string) => Promise<number>;
  /** Of the namespaces' names. Default: that of the lane, in which one suite runs at a time. */
  readonly prefix?: string;
}

export async function buildTopology(options: TopologyOptions): Promise<Topology> {
  const namespaces = await openNamespaces(options.prefix);
  try {
    return await build(namespaces, options);
  } catch (error) {
    await namespaces.close();
    throw error;
  }
}

async function build(ns: Namespaces, options: TopologyOptions): Promise<Topology> {
  const peers: SiteAddresses = options.router ? { ...PEERS, outer: BEHIND_ROUTER } : PEERS;
  const addresses = { ours: OURS, peer: peers };
  for (const name of Object.values(HOST)) await ns.add(name);
  for (const name of Object.values(NAMESPACE)) await ns.add(name, await options.hold?.(name));
  await ns.link({ ns: "near-host", dev: "eth0" }, { ns: "near", dev: "inner" });
  await ns.link({ ns: "far-host", dev: "eth0" }, { ns: "far", dev: "inner" });
  if (options.router) {
    await ns.add("router");
    await ns.link({ ns: "near", dev: "outer" }, { ns: "router", dev: "near" });
    await ns.link({ ns: "far", dev: "outer" }, { ns: "router", dev: "far" });
    await ns.ip("router", `${own("near", ROUTER.ours)}\n${own("far", ROUTER.peer)}`);
  } else {
    await ns.link({ ns: "near", dev: "outer" }, { ns: "far", dev: "outer" });
  }
  await ns.ip("near", `${own("inner", OURS.gateway)}\n${own("outer", OURS.outer)}`);
  await ns.ip("near-host", `${own("eth0", OURS.host)}\n${via(OURS.gateway)}`);
  await ns.ip("far-host", `${own("eth0", peers.host)}\n${via(peers.gateway)}`);
  if (options.router) await ns.ip("near", via(ROUTER.ours));
  if (options.guest) {
    // The guest's interfaces take large TCP segments whole and then lose them on the way through its ESP.
    await ns.ip("far-host", "link set eth0 gso_max_segs 1");
    await ns.ip("far", GUEST_TAPS.map((tap, index) => bridge(tap, index === 0 ? "outer" : "inner")).join("\n"));
  } else {
    await ns.ip("far", `${own("inner", peers.gateway)}\n${own("outer", peers.outer)}`);
    if (options.router) await ns.ip("far", via(ROUTER.peer));
  }

  await ns.ip("near", parts(OURS, "gateway", "inner"));
  await ns.ip("near-host", parts(OURS, "host", "eth0"));
  await ns.ip("far-host", parts(peers, "host", "eth0"));
  if (!options.guest) await ns.ip("far", parts(peers, "gateway", "inner"));

  let translations = 0;
  const moved: { readonly who: Who; readonly from: string; readonly to: string }[] = [];
  const replace = (who: Who, from: string, to: string): Promise<void> =>
    ns.ip(NAMESPACE[who], `addr del ${from}/24 dev outer\naddr add ${to}/24 dev outer`);
  return {
    namespaces: ns,
    addresses,
    peerNetwork: {
      outer: withLength(peers.outer),
      inner: [...withLength(peers.gateway), ...peers.parts.slice(1).map(({ gateway }) => `${gateway}/24`)],
      routers: options.router ? [ROUTER.peer[4], ROUTER.peer[6]] : [OURS.outer[4], OURS.outer[6]],
    },
    async narrow(mtu) {
      await ns.ip("router", `link set far mtu ${mtu}`);
      await ns.ip("far", `link set outer mtu ${mtu}`);
    },
    translate: (who) => translate(ns, who, translations++),
    async readdress(who) {
      const from = moved.findLast((one) => one.who === who)?.to ?? addresses[who].outer[4];
      const to = from.replace(/\d+$/, (last) => String(Number(last) + 10));
      await replace(who, from, to);
      moved.push({ who, from, to });
    },
    async home() {
      for (const { who, from, to } of moved.splice(0).reverse()) await replace(who, to, from);
    },
    async cut(isCut) {
      const chain = `chain prerouting { type filter hook prerouting priority -450; iifname "outer" drop; }`;
      const rules = isCut ? `table inet cut { ${chain}; }` : "delete table inet cut";
      const ends = options.guest ? [NAMESPACE.ours] : Object.values(NAMESPACE);
      for (const name of ends) await must(ns.inside(name, "nft", "-f", "-"), { input: rules });
      // What a bridge passes on to a guest comes by no hook of IP.
      if (options.guest) await ns.ip(NAMESPACE.peer, `link set outer ${isCut ? "nomaster" : "master br-outer"}`);
    },
    dropFragments: () => dropFragments(ns),
    close: () => ns.close(),
  };
}

/** Source NAT of UDP from `who`'s side: another port each time, so that nobody can rely on 500 and 4500. */
async function translate(ns: Namespaces, who: Who, generation: number): Promise<void> {
  const [from, out, address] = who === "ours" ? ["near", "far", ROUTER.peer[4]] : ["far", "near", ROUTER.ours[4]];
  const base = 20_000 + (generation % 8) * 5_000;
  const rules = `
    table ip nat
    delete table ip nat
    table ip nat {
      chain postrouting {
        type nat hook postrouting priority srcnat
        iifname "${from}" oifname "${out}" udp sport 500 snat to ${address}:${base}-${base + 400}
        iifname "${from}" oifname "${out}" udp sport 4500 snat to ${address}:${base + 500}-${base + 900}
        iifname "${from}" oifname "${out}" snat to ${address}
      }
    }`;
  await must(ns.inside("router", "nft", "-f", "-"), { input: rules });
  await must(ns.inside("router", "conntrack", "-F"));
}

/** The addresses of all parts; the first ones are there already. */
function parts(site: SiteAddresses, who: "gateway" | "host", dev: string): string {
  return site.parts.map((part) => `addr replace ${part[who]}/24 dev ${dev}`).join("\n");
}

function partsOf(network: string): SiteAddresses["parts"] {
  return [
    { net: `${network}.0/28`, gateway: `${network}.1`, host: `${network}.10` },
    { net: `${network}.16/28`, gateway: `${network}.17`, host: `${network}.20` },
    { net: `${network}.32/28`, gateway: `${network}.33`, host: `${network}.40` },
  ];
}

/** Before the kernel could put them together: for IPv4 any offset or "more fragments", for IPv6 the extension header. */
async function dropFragments(ns: Namespaces): Promise<void> {
  const rules = `
    table inet fragments
    delete table inet fragments
    table inet fragments {
      chain prerouting {
        type filter hook prerouting priority -450
        ip frag-off & 0x3fff != 0 drop
        exthdr frag exists drop
      }
    }`;
  await must(ns.inside("router", "nft", "-f", "-"), { input: rules });
}

function withLength(address: { readonly 4: string; readonly 6: string }): readonly string[] {
  return [`${address[4]}/24`, `${address[6]}/64`];
}

function own(dev: string, address: { readonly 4: string; readonly 6: string }): string {
  return `addr add ${address[4]}/24 dev ${dev}\naddr add ${address[6]}/64 dev ${dev} nodad`;
}

function via(router: { readonly 4: string; readonly 6: string }): string {
  return `route add default via ${router[4]}\nroute add default via ${router[6]}`;
}

function bridge(tap: string, dev: string): string {
  return `tuntap add dev ${tap} mode tap
link add br-${dev} type bridge
link set ${tap} master br-${dev}
link set ${dev} master br-${dev}
link set ${tap} up
link set br-${dev} up`;
}
