/** Two gateways, each in a network namespace of its own, joined by a link or by two routers: for tests of the data plane with a real kernel. */
import { existsSync } from "node:fs";
import { must } from "../child.js";
import { type Namespaces, openNamespaces } from "../netns.js";

export type Side = "left" | "right";

export interface Link {
  readonly namespaces: Namespaces;
  /** Runs a program on one side to its end; its output. Throws when it fails or takes longer than 30 s. */
  run(side: Side, ...argv: readonly string[]): Promise<string>;
  /** What `src/routes.ts` does in the daemon: brings the device up and leads the peer's ranges into it. */
  routeInto(side: Side, tun: string, mtu: number): Promise<void>;
  /** Names of the network devices, sorted. */
  devices(side: Side): Promise<readonly string[]>;
  /** Removes the namespaces with the processes in them. */
  close(): Promise<void>;
}

/** Why these tests cannot run here; undefined: they can. */
export function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  if (!existsSync("/dev/net/tun")) return "/dev/net/tun is missing";
  return undefined;
}

/**
 *     left  10.1.0.1 fd01::1   192.0.2.1 2001:db8::1  ==  192.0.2.2 2001:db8::2   10.2.0.1 fd02::1  right
 */
export async function createLink(): Promise<Link> {
  const namespaces = await openNamespaces();
  for (const side of ["left", "right"] as const) await namespaces.add(side);
  await namespaces.link({ ns: "left", dev: "wan" }, { ns: "right", dev: "wan" });
  for (const side of ["left", "right"] as const) {
    const own = numberOf(side);
    await namespaces.ip(
      side,
      `addr add 10.${own}.0.1/32 dev lo
       addr add fd0${own}::1/128 dev lo nodad
       addr add 192.0.2.${own}/24 dev wan
       addr add 2001:db8::${own}/64 dev wan nodad`,
    );
  }
  const run = (side: Side, ...argv: readonly string[]) => must(namespaces.inside(side, ...argv), { seconds: 30 });
  return {
    namespaces,
    run,
    async routeInto(side, tun, mtu) {
      const own = numberOf(side);
      const peer = 3 - own;
      await namespaces.ip(
        side,
        `link set ${tun} up mtu 1500
         route replace 10.${peer}.0.0/24 dev ${tun} src 10.${own}.0.1 mtu ${mtu}
         route replace fd0${peer}::/64 dev ${tun} src fd0${own}::1 mtu ${mtu}`,
      );
    },
    async devices(side) {
      const listed = (await run(side, "ip", "-o", "link")).split("\n").filter(Boolean);
      return listed.map((line) => line.split(/[:@]\s*/)[1]!.trim()).sort();
    },
    close: namespaces.close,
  };
}

export interface RoutedLink extends Link {
  /** The MTU of the link between the routers; those of the gateways stay 1500. */
  narrow(mtu: number): Promise<void>;
  /** Rules of nftables for what the routers forward and send, in place of those before: a list of `nft` rule texts. */
  filter(rules: readonly string[]): Promise<void>;
  /** Packets that matched the filter's rules with a counter, in order, at the router on the left. */
  counted(): Promise<readonly number[]>;
}

/** The outer addresses of the two sides of a routed link: each has five of both IP versions, 1 to 5. */
export function routedAddress(side: Side, family: 4 | 6, number: number): string {
  if (family === 4) return `${side === "left" ? "192.0.2" : "198.51.100"}.${number}`;
  return `2001:db8:${numberOf(side)}::${number}`;
}

/**
 *     left  10.1.0.1 fd01::1   192.0.2.1-5  ==  near  ==  far  ==  198.51.100.1-5   10.2.0.1 fd02::1  right
 */
export async function createRoutedLink(): Promise<RoutedLink> {
  const link = await createLink();
  const { namespaces } = link;
  const routers = ["near", "far"] as const;
  for (const name of routers) await namespaces.add(name);
  for (const side of ["left", "right"] as const) await namespaces.ip(side, "link del wan").catch(() => undefined);
  await namespaces.link({ ns: "left", dev: "wan" }, { ns: "near", dev: "site" });
  await namespaces.link({ ns: "right", dev: "wan" }, { ns: "far", dev: "site" });
  await namespaces.link({ ns: "near", dev: "middle" }, { ns: "far", dev: "middle" });
  for (const [side, router, net, other] of [
    ["left", "near", "192.0.2", "198.51.100"],
    ["right", "far", "198.51.100", "192.0.2"],
  ] as const) {
    const own = numberOf(side);
    const numbers = [1, 2, 3, 4, 5];
    await namespaces.ip(
      side,
      [
        ...numbers.map((n) => `addr add ${routedAddress(side, 4, n)}/24 dev wan`),
        ...numbers.map((n) => `addr add ${routedAddress(side, 6, n)}/64 dev wan nodad`),
        `route add default via ${net}.254`,
        `route add default via 2001:db8:${own}::fe`,
      ].join("\n"),
    );
    await namespaces.ip(
      router,
      `addr add ${net}.254/24 dev site
       addr add 2001:db8:${own}::fe/64 dev site nodad
       addr add 203.0.113.${own}/24 dev middle
       addr add 2001:db8:9::${own}/64 dev middle nodad
       route add ${other}.0/24 via 203.0.113.${3 - own}
       route add 2001:db8:${3 - own}::/64 via 2001:db8:9::${3 - own}`,
    );
  }
  return {
    ...link,
    async narrow(mtu) {
      for (const name of routers) await namespaces.ip(name, `link set middle mtu ${mtu}`);
    },
    async filter(rules) {
      const chain = (hook: string) => `chain ${hook} { type filter hook ${hook} priority 0\n${rules.join("\n")}\n}`;
      const table = `table inet test\ndelete table inet test\ntable inet test { ${chain("forward")}\n${chain("output")}\n}\n`;
      for (const name of routers) await must(namespaces.inside(name, "nft", "-f", "-"), { input: table, seconds: 10 });
    },
    async counted() {
      const listed = await must(namespaces.inside("near", "nft", "list", "chain", "inet", "test", "forward"), {
        seconds: 10,
      });
      return [...listed.matchAll(/counter packets (\d+)/g)].map((match) => Number(match[1]));
    },
  };
}

function numberOf(side: Side): 1 | 2 {
  return side === "left" ? 1 : 2;
}
