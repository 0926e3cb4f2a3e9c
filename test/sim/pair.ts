/** Two gateways with one tunnel between them, and what it means that they agree, or that nothing is left of them. */
import assert from "node:assert/strict";
import type { Address } from "../../esp/address.js";
import type { Policy } from "../../ike/core/policy.js";
import { type Clock, createClock } from "./clock.js";
import { assertPartners } from "./data-plane.js";
import { createGateway, type Gateway } from "./gateway.js";
import { type Conditions, createNat, createNetwork, type Nat, type Network } from "./network.js";
import { ADDRESS_A, ADDRESS_B, ADDRESS_NAT, mirrored, onePolicy, type SideOptions } from "./policies.js";
import type { SeededRandom } from "./random.js";

export const SECOND = 1000;

type Side = Partial<Omit<SideOptions, "entries">> & {
  readonly psk?: string;
  readonly entries?: SideOptions["entries"];
};

export interface PairOptions {
  readonly conditions?: Partial<Conditions>;
  /** A stands behind a NAT that forgets mappings after this many milliseconds. */
  readonly natIdle?: number;
  /** As A writes them; B has them turned round, unless its side says otherwise. */
  readonly entries: SideOptions["entries"];
  readonly ikeProposals?: readonly string[];
  readonly espProposals?: readonly string[];
  /** A is active and B passive, unless they say otherwise. */
  readonly a?: Side;
  readonly b?: Side;
  /** What the names of peers lead to; may be changed while a run goes on. */
  readonly names?: ReadonlyMap<string, readonly Address[]>;
  /** B knows no address of A's. */
  readonly anyPeer?: boolean;
  readonly slowestAnswer?: number;
  readonly careful?: boolean;
  /** See `createClock`. */
  readonly mostEvents?: number;
  /** What the options cannot say. */
  readonly change?: (policy: Policy) => Policy;
  /** Called when the data plane of either side was told something. */
  readonly watch?: () => void;
  readonly trace?: ((line: string) => void) | undefined;
}

export interface Pair {
  readonly clock: Clock;
  readonly network: Network;
  readonly nat: Nat | undefined;
  readonly a: Gateway;
  readonly b: Gateway;
}

const SOUND: Conditions = { loss: 0, duplicate: 0, forge: 0, shortestDelay: 5, longestDelay: 10 };

export function createPair(options: PairOptions, random: SeededRandom): Pair {
  const { entries, ikeProposals = ["aes256gcm16-prfsha256-x25519"], espProposals = ["aes256gcm16"] } = options;
  const { careful = false, slowestAnswer = 0, trace, natIdle, anyPeer = false } = options;
  const clock = createClock(options.mostEvents);
  const network = createNetwork(clock, random.fork(), { ...SOUND, ...options.conditions });
  const nat = natIdle === undefined ? undefined : createNat(ADDRESS_A, ADDRESS_NAT, natIdle);
  if (nat !== undefined) network.place(nat);
  const shared = { ikeProposals, espProposals, ikeLifetimeSeconds: 28_800, childLifetimeSeconds: 3_600 };
  const gateway = (name: string, policy: SideOptions, psk = "the same on both sides") =>
    createGateway(
      {
        name,
        address: policy.local,
        policy: options.change === undefined ? onePolicy(policy) : options.change(onePolicy(policy)),
        psk,
        slowestAnswer,
        careful,
        ...(options.names && { names: options.names }),
        ...(trace && { trace }),
        ...(options.watch && { watch: options.watch }),
      },
      clock,
      network,
      random.fork(),
    );
  const a = gateway(
    "A",
    {
      ...shared,
      localId: "a.example",
      peerId: "b.example",
      peer: ADDRESS_B,
      local: ADDRESS_A,
      start: "active",
      entries,
      ...options.a,
    },
    options.a?.psk,
  );
  const b = gateway(
    "B",
    {
      ...shared,
      localId: "b.example",
      peerId: "a.example",
      ...(!anyPeer && { peer: nat === undefined ? ADDRESS_A : ADDRESS_NAT }),
      local: ADDRESS_B,
      start: "passive",
      entries: mirrored(entries),
      ...options.b,
    },
    options.b?.psk,
  );
  return { clock, network, nat, a, b };
}

/** Runs until `problem` finds none, looking once a second; fails when that takes more than `most` milliseconds. */
export function runUntilSound(clock: Clock, most: number, problem: () => string | undefined, wanted: string): void {
  const end = clock.now + most;
  for (;;) {
    const found = problem();
    if (found === undefined) return;
    assert(clock.now < end, `not within ${most / SECOND} s: ${wanted}; ${found}`);
    clock.runUntil(clock.now + SECOND);
  }
}

/** Undefined when every mapping is carried in both directions by exactly one child that both ends have and agree about. */
export function disagreement({ a, b }: Pair): string | undefined {
  for (const [here, there] of [
    [a, b],
    [b, a],
  ] as const) {
    const [view] = here.views();
    if (view?.state !== "established") return `${here.name} is ${view?.state}: ${view?.reason}`;
    for (let mapping = 0; mapping < here.mappings; mapping++) {
      const sender = here.dataPlane.sender(mapping);
      if (sender === undefined) return `${here.name} sends mapping ${mapping} nowhere`;
      const partner = [...there.dataPlane.children.values()].find(({ pair }) => pair.spiIn === sender.pair.spiOut);
      if (partner === undefined) return `${there.name} lacks the child on which ${here.name} sends mapping ${mapping}`;
      assertPartners(sender.pair, partner.pair);
      const live = [...here.dataPlane.children.values()].filter(({ pair }) => pair.mappings.includes(mapping));
      if (live.length !== 1) return `${here.name} has ${live.length} children for mapping ${mapping}`;
    }
    if (here.dataPlane.reserved.size > 0) return `${here.name} has reserved SPIs`;
  }
  return undefined;
}

/** Undefined when nothing is left: no child, no SPI, no IKE SA. */
export function remains({ a, b }: Pick<Pair, "a" | "b">): string | undefined {
  for (const { name, dataPlane, views } of [a, b]) {
    if (dataPlane.children.size > 0) return `${name} has ${dataPlane.children.size} children`;
    if (dataPlane.reserved.size > 0) return `${name} has ${dataPlane.reserved.size} reserved SPIs`;
    if (views().some(({ ike }) => ike !== undefined)) return `${name} has an IKE SA`;
  }
  return undefined;
}
