/** Two gateways, each in a network namespace of its own, joined by a link: for tests of the data plane with a real kernel. */
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

function numberOf(side: Side): 1 | 2 {
  return side === "left" ? 1 : 2;
}
