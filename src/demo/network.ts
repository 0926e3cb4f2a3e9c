/**
 * The demo's world: a host behind each of two gateways, and a network between the gateways.
 *
 *     left-host 10.1.0.10 --- 10.1.0.1 left 192.0.2.1 === 192.0.2.2 right 10.2.0.1 --- 10.2.0.10 right-host
 */
import { mkdirSync } from "node:fs";
import { run } from "../host/command.js";

export interface Site {
  readonly name: "left" | "right";
  /** The gateway's address towards the other gateway. */
  readonly outer: string;
  readonly network: string;
  /** Addresses inside the network. */
  readonly gateway: string;
  readonly host: string;
}

export const LEFT: Site = {
  name: "left",
  outer: "192.0.2.1",
  network: "10.1.0.0/24",
  gateway: "10.1.0.1",
  host: "10.1.0.10",
};
export const RIGHT: Site = {
  name: "right",
  outer: "192.0.2.2",
  network: "10.2.0.0/24",
  gateway: "10.2.0.1",
  host: "10.2.0.10",
};

/** The only folder that the demo writes to: a file system in memory that nobody else sees. */
export const FOLDER = "/run";

/** Both sites. Throws with what a program said. */
export async function buildNetwork(): Promise<void> {
  await must("mount", ["-t", "tmpfs", "-o", "mode=0755", "tmpfs", FOLDER]);
  mkdirSync(`${FOLDER}/netns`);
  for (const { name } of [LEFT, RIGHT])
    for (const place of [name, `${name}-host`]) await must("ip", ["netns", "add", place]);
  await ip(["link add wan netns left type veth peer name wan netns right"]);
  for (const site of [LEFT, RIGHT]) {
    const host = `${site.name}-host`;
    await ip([`link add lan netns ${site.name} type veth peer name eth0 netns ${host}`]);
    await ip(
      [
        "link set lo up",
        "link set wan up",
        "link set lan up",
        `addr add ${site.outer}/24 dev wan`,
        `addr add ${site.gateway}/24 dev lan`,
      ],
      site.name,
    );
    await ip(
      [
        "link set lo up",
        "link set eth0 up",
        `addr add ${site.host}/24 dev eth0`,
        `route add default via ${site.gateway}`,
      ],
      host,
    );
    const [program, ...args] = inside(site.name, "sh", "-ec", "echo 1 > /proc/sys/net/ipv4/ip_forward");
    await must(program, args);
  }
}

/** The command line that runs a program in one of the four places: "left", "left-host", "right", "right-host". */
export function inside(place: string, ...argv: readonly string[]): [string, ...string[]] {
  // Not `ip netns exec`, which mounts a /sys of its own: some containers refuse that.
  return ["nsenter", `--net=${FOLDER}/netns/${place}`, "--", ...argv];
}

/** Several commands of `ip`, in one of the places or around them. */
async function ip(commands: readonly string[], place?: string): Promise<void> {
  const [program, ...args] = place === undefined ? ["ip", "-batch", "-"] : inside(place, "ip", "-batch", "-");
  await must(program as string, args, `${commands.join("\n")}\n`);
}

async function must(program: string, args: readonly string[], input = ""): Promise<void> {
  const { status, errors } = await run(program, args, input);
  if (status !== 0) throw new Error(`${[program, ...args].join(" ")}: ${errors.trim()}`);
}
