/** What is measured: a pair of gateways with one tunnel, AES-256-GCM in UDP. A further contender is a further file with one of these. */
import type { Bed } from "./bed.js";
import type { GatewayProcess } from "./gateway-process.js";

export interface Contender {
  /** The title of its column, and part of its namespaces' names. */
  readonly name: string;
  readonly title: string;
  /** Why it cannot run here; undefined where it can. */
  whyNot(): string | undefined;
  version(): Promise<string>;
  /** Starts both gateways and returns when their tunnel stands. `folder` is its own, for configuration, sockets and logs. */
  start(bed: Bed, folder: string, options: StartOptions): Promise<Gateways>;
}

export interface StartOptions {
  /** Where a contender that can leaves the profile of its gateways when they end. */
  readonly profileFolder?: string;
}

export interface Gateways {
  /** Left and right. */
  readonly processes: readonly [GatewayProcess, GatewayProcess];
  stop(): Promise<void>;
}

/** One contender on its path, ready to be measured. */
export interface Lane {
  readonly contender: Contender;
  readonly bed: Bed;
  readonly gateways: Gateways;
}

/** Those that can run here, of the named ones; tells why others cannot. */
export function present<One extends Pick<Contender, "name" | "title" | "whyNot">>(
  all: readonly One[],
  only: readonly string[] | undefined,
): readonly One[] {
  return all.filter((one) => {
    if (only !== undefined && !only.includes(one.name)) return false;
    const why = one.whyNot();
    if (why !== undefined) console.log(`without ${one.title}: ${why}`);
    return why === undefined;
  });
}
