/** What the kernel dropped in queues of ours and on the way to the peer because a program was late: no fault of IKE, and no news of it either. */
import { must } from "../child.js";
import { HOST, NAMESPACE, type Topology } from "../interop/topology.js";

/** Counters by name: sockets of our gateway, its TUN device, and the links of all four namespaces, a guest's taps among them. */
export async function queueDrops(topology: Topology): Promise<ReadonlyMap<string, number>> {
  const counted = new Map<string, number>();
  const add = (name: string, count: number) => void counted.set(name, (counted.get(name) ?? 0) + count);
  for (const file of ["udp", "udp6", "raw", "raw6"]) {
    const table = await must(topology.namespaces.inside(NAMESPACE.ours, "cat", `/proc/net/${file}`));
    for (const line of table.split("\n").slice(1))
      if (line.trim() !== "") add(`sockets (${file})`, Number(line.trim().split(/\s+/).at(-1)));
  }
  for (const namespace of [...Object.values(NAMESPACE), ...Object.values(HOST)]) {
    const links = JSON.parse(await must(topology.namespaces.inside(namespace, "ip", "-s", "-j", "link"))) as readonly {
      readonly ifname: string;
      readonly stats64: Readonly<Record<"rx" | "tx", { readonly dropped: number }>>;
    }[];
    for (const { ifname, stats64 } of links) {
      add(`${namespace} ${ifname} received`, stats64.rx.dropped);
      add(`${namespace} ${ifname} sent`, stats64.tx.dropped);
    }
  }
  return counted;
}

/** What grew. */
export function growth(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Map<string, number> {
  return new Map(
    [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const).filter(([, n]) => n > 0),
  );
}
