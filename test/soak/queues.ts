/** What the kernel of our namespaces dropped in its queues because a program was late: no fault of IKE, and no news of it either. */
import { must } from "../child.js";
import { NAMESPACE, type Topology } from "../interop/topology.js";

/** Counters by name: sockets of our gateway, its TUN device and the links. */
export async function queueDrops(topology: Topology): Promise<ReadonlyMap<string, number>> {
  const inside = (...argv: string[]) => must(topology.namespaces.inside(NAMESPACE.ours, ...argv));
  const counted = new Map<string, number>();
  const add = (name: string, count: number) => void counted.set(name, (counted.get(name) ?? 0) + count);
  for (const file of ["udp", "udp6", "raw", "raw6"])
    for (const line of (await inside("cat", `/proc/net/${file}`)).split("\n").slice(1))
      if (line.trim() !== "") add(`sockets (${file})`, Number(line.trim().split(/\s+/).at(-1)));
  const links = JSON.parse(await inside("ip", "-s", "-j", "link")) as readonly {
    readonly ifname: string;
    readonly stats64: Readonly<Record<"rx" | "tx", { readonly dropped: number }>>;
  }[];
  for (const { ifname, stats64 } of links) {
    add(`${ifname} received`, stats64.rx.dropped);
    add(`${ifname} sent`, stats64.tx.dropped);
  }
  return counted;
}

/** What grew. */
export function growth(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Map<string, number> {
  return new Map(
    [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const).filter(([, n]) => n > 0),
  );
}
