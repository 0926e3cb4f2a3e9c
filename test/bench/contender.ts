/** What is measured: a pair of gateways with one tunnel. A further contender is a further file with one of these. */
import type { Bed } from "./bed.js";
import type { GatewayProcess } from "./gateway-process.js";

export interface Contender {
  /** The title of its column, and part of its namespaces' names. */
  readonly name: string;
  readonly title: string;
  /** Why it cannot run here; undefined where it can. */
  whyNot(): string | undefined;
  version(): Promise<string>;
  /** Whether it has the setup; the others have no column for it. */
  has(setup: Setup): boolean;
  /** Starts both gateways and returns when their tunnel stands. `folder` is its own, for configuration, sockets and logs. */
  start(bed: Bed, folder: string, options: StartOptions): Promise<Gateways>;
}

/** ESP in UDP with one pair of SAs for each mapping. */
export interface Setup {
  /** As a title. */
  readonly suite: string;
  /** As the configuration writes it, ours and strongSwan's. */
  readonly esp: string;
  /** Mappings between both networks; what is measured goes through the last one. */
  readonly mappings: number;
}

export const AES_GCM: Setup = { suite: "AES-256-GCM", esp: "aes256gcm16", mappings: 1 };

export function isUsual({ esp, mappings }: Setup): boolean {
  return esp === AES_GCM.esp && mappings === 1;
}

export interface StartOptions {
  readonly setup: Setup;
  /** Where a contender that can leaves the profile of its gateways when they end. */
  readonly profileFolder?: string;
}

export interface Gateways {
  /** Left and right; none where the kernel forwards by itself. */
  readonly processes: readonly GatewayProcess[];
  /** Octets that came and went through the left gateway's tunnel: shows that what is measured did. */
  tunneledOctets(): Promise<number>;
  /** Renews the SAs, where that can be asked for. */
  rekey?(): Promise<void>;
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
