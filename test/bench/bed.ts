/**
 * The path that every contender is measured on, in namespaces of its own:
 *
 *   left-host 10.91.1.10 -- 10.91.1.1 left 192.0.2.1 ==== 192.0.2.2 right 10.91.2.1 -- 10.91.2.10 right-host
 *
 * `left` and `right` are the gateways. All contenders have the same path at the same time and are measured in turn.
 */
import type { Namespaces } from "../netns.js";

export type Place = "left-host" | "left" | "right" | "right-host";

export interface End {
  readonly outer: string;
  readonly gateway: string;
  readonly host: string;
  readonly network: string;
}
export const LEFT: End = { outer: "192.0.2.1", gateway: "10.91.1.1", host: "10.91.1.10", network: "10.91.1.0/24" };
export const RIGHT: End = { outer: "192.0.2.2", gateway: "10.91.2.1", host: "10.91.2.10", network: "10.91.2.0/24" };

const SIDES = [
  ["left", LEFT],
  ["right", RIGHT],
] as const;

export type Congestion = "cubic" | "bbr";

export interface Bed {
  readonly namespaces: Namespaces;
  /** The namespace that stands at a place, for `Namespaces.inside`. */
  at(place: Place): string;
  /** The command line that runs `argv` at a place. */
  inside(place: Place, ...argv: string[]): string[];
  /** Pins the TCP congestion control of both hosts. */
  pin(algorithm: Congestion): Promise<void>;
}

export async function openBed(namespaces: Namespaces, contender: string): Promise<Bed> {
  const at = (place: Place): string => `${contender}-${place}`;
  const inside = (place: Place, ...argv: string[]): string[] => namespaces.inside(at(place), ...argv);
  for (const place of ["left-host", "left", "right", "right-host"] as const) await namespaces.add(at(place));
  await namespaces.link({ ns: at("left-host"), dev: "eth0" }, { ns: at("left"), dev: "inner" });
  await namespaces.link({ ns: at("right-host"), dev: "eth0" }, { ns: at("right"), dev: "inner" });
  await namespaces.link({ ns: at("left"), dev: "outer" }, { ns: at("right"), dev: "outer" });
  for (const [side, end] of SIDES) {
    await namespaces.ip(at(side), `addr add ${end.gateway}/24 dev inner\naddr add ${end.outer}/24 dev outer\n`);
    const host = `addr add ${end.host}/24 dev eth0\nroute add default via ${end.gateway}\n`;
    await namespaces.ip(at(`${side}-host`), host);
  }
  return {
    namespaces,
    at,
    inside,
    async pin(algorithm) {
      // By the route, because the sysctl of a namespace takes only what the host allows to everybody.
      for (const [side, { gateway }] of SIDES)
        await namespaces.ip(at(`${side}-host`), `route replace default via ${gateway} congctl ${algorithm}\n`);
    },
  };
}
