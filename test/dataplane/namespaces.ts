/** Two gateways, each in a network namespace of its own, joined by a link: for tests of the data plane with a real kernel. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

const PREFIX = "cwdp-";
export const LEFT = `${PREFIX}left`;
export const RIGHT = `${PREFIX}right`;

/** Why these tests cannot run here; undefined: they can. */
export function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  if (!existsSync("/dev/net/tun")) return "/dev/net/tun is missing";
  return undefined;
}

export function ip(...args: string[]): string {
  return execFileSync("timeout", ["10", "ip", ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/**
 *     left  10.1.0.1 fd01::1   192.0.2.1 2001:db8::1  ==  192.0.2.2 2001:db8::2   10.2.0.1 fd02::1  right
 */
export function createLink(): void {
  removeLink();
  for (const [name, side] of [
    [LEFT, 1],
    [RIGHT, 2],
  ] as const) {
    ip("netns", "add", name);
    ip("-n", name, "link", "set", "lo", "up");
    ip("-n", name, "addr", "add", `10.${side}.0.1/32`, "dev", "lo");
    ip("-n", name, "addr", "add", `fd0${side}::1/128`, "dev", "lo", "nodad");
  }
  ip("link", "add", "wan", "netns", LEFT, "type", "veth", "peer", "name", "wan", "netns", RIGHT);
  for (const [name, side] of [
    [LEFT, 1],
    [RIGHT, 2],
  ] as const) {
    ip("-n", name, "addr", "add", `192.0.2.${side}/24`, "dev", "wan");
    ip("-n", name, "addr", "add", `2001:db8::${side}/64`, "dev", "wan", "nodad");
    ip("-n", name, "link", "set", "wan", "up");
  }
}

/** What `src/routes.ts` does in the daemon: brings the device up and leads the peer's ranges into it. */
export function routeInto(name: string, tun: string, mtu: number): void {
  const peer = name === LEFT ? 2 : 1;
  const own = name === LEFT ? 1 : 2;
  ip("-n", name, "link", "set", tun, "up", "mtu", "1500");
  ip("-n", name, "route", "replace", `10.${peer}.0.0/24`, "dev", tun, "src", `10.${own}.0.1`, "mtu", `${mtu}`);
  ip("-n", name, "-6", "route", "replace", `fd0${peer}::/64`, "dev", tun, "src", `fd0${own}::1`, "mtu", `${mtu}`);
}

export function devices(name: string): readonly string[] {
  return ip("-n", name, "-o", "link")
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split(/[:@]\s*/)[1]!.trim());
}

/** Removes the namespaces of this or an earlier run, with the processes in them. */
export function removeLink(): void {
  const present = ip("netns", "list");
  for (const name of [LEFT, RIGHT]) {
    if (!present.includes(name)) continue;
    for (const pid of ip("netns", "pids", name).split("\n").filter(Boolean)) process.kill(Number(pid), "SIGKILL");
    ip("netns", "del", name);
  }
}
