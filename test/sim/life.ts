/**
 * A whole life of two gateways in one seeded schedule: they come up, carry several mappings, rekey children and IKE SA
 * by lifetime and by wish, watch each other, lose and repeat packets all the while, and end with a shutdown.
 */
import assert from "node:assert/strict";
import type { Address } from "../../esp/address.js";
import { type Clock, createClock } from "./clock.js";
import { assertPartners } from "./data-plane.js";
import { createGateway, type Gateway } from "./gateway.js";
import { type Conditions, createNat, createNetwork, type Nat, type Network } from "./network.js";
import { ADDRESS_A, ADDRESS_B, ADDRESS_NAT, mirrored, onePolicy } from "./policies.js";
import { type SeededRandom, seededRandom } from "./random.js";

/** What happened in a run, to see that the schedules reach what they are meant to. */
export interface LifeCounts {
  /** Reports by kind, of both gateways. */
  readonly reports: ReadonlyMap<string, number>;
  readonly children: number;
  readonly ikeSas: number;
  readonly packets: number;
  readonly nat: boolean;
}

const SECOND = 1000;
/** How long two gateways may take to agree again once the network is sound. */
const SETTLE = 400 * SECOND;

const IKE_PROPOSALS = [
  "aes256gcm16-prfsha256-x25519",
  "aes128-sha256-modp2048",
  "aes256-sha384-ecp384",
  "chacha20poly1305-prfsha256-ecp256-x25519",
];
const ESP_PROPOSALS = [
  "aes256gcm16",
  "aes128-sha256-x25519",
  "aes256gcm16-ecp256-x25519-noesn",
  "chacha20poly1305-esn",
];
const ENTRIES = [
  [["10.1.0.0/16 10.2.0.0/16"], ["10.1.0.0/16 10.3.0.0/16"]],
  [["10.1.0.0/24 10.2.0.0/24", "10.1.1.0/24 10.2.0.0/24"], ["10.9.0.0/16 10.8.0.0/16"]],
  [["10.1.0.0/16 10.2.0.0/16"], ["2001:db8:1::/48 2001:db8:2::/48"], ["10.4.0.0/16 10.5.0.0/16"]],
];

/** Throws `AssertionError` when an invariant breaks. `trace` gets every event and effect in words. */
export function runLife(seed: number, trace?: (line: string) => void): LifeCounts {
  const random = seededRandom(seed);
  const clock = createClock();
  const conditions = conditionsOf(random);
  const network = createNetwork(clock, random.fork(), { ...conditions });
  const nat = random.chance(0.3) ? createNat(ADDRESS_A, ADDRESS_NAT, random.between(30, 200) * SECOND) : undefined;
  if (nat !== undefined) network.place(nat);
  const { a, b } = gateways(random, clock, network, nat, trace);
  const mappings = random.fork();
  let packets = 0;
  const traffic = () => {
    const side = mappings.pick([a, b]);
    if (side.sendTraffic(mappings.integer(3))) packets++;
    clock.after(mappings.between(200, 8000), traffic);
  };
  clock.after(0, traffic);

  disturb(random, clock, network, nat, a, b);
  clock.runUntil(random.between(200, 900) * SECOND);

  Object.assign(network.conditions, { loss: 0, duplicate: 0, forge: 0 });
  untilTrue(clock, SETTLE, () => problemOf(a, b), "both ends agree");
  for (const child of a.dataPlane.children.values()) {
    const partner = [...b.dataPlane.children.values()].find(({ pair }) => pair.spiIn === child.pair.spiOut);
    if (partner !== undefined) assertPartners(child.pair, partner.pair);
  }

  if (random.chance(0.5)) Object.assign(network.conditions, conditions);
  const [first, second] = random.chance(0.5) ? [a, b] : [b, a];
  first.wish({ do: "shutdown" });
  clock.runUntil(clock.now + random.between(0, 3000));
  second.wish({ do: "shutdown" });
  untilTrue(clock, SETTLE, () => leftOf(a) ?? leftOf(b), "nothing is left");
  return { ...counts(a, b), packets, nat: nat !== undefined };
}

function conditionsOf(random: SeededRandom): Conditions {
  const shortestDelay = random.between(1, 60);
  return {
    loss: random.pick([0, 0, 0.02, 0.1, 0.25]),
    duplicate: random.pick([0, 0.05, 0.3]),
    forge: random.pick([0, 0, 0.1]),
    shortestDelay,
    longestDelay: shortestDelay + random.pick([0, 5, 100, 700]),
  };
}

function gateways(
  random: SeededRandom,
  clock: Clock,
  network: Network,
  nat: Nat | undefined,
  trace: ((line: string) => void) | undefined,
): { readonly a: Gateway; readonly b: Gateway } {
  const entries = random.pick(ENTRIES);
  const ikeProposals = [random.pick(IKE_PROPOSALS), "aes256-sha256-modp2048"];
  const espProposals = [random.pick(ESP_PROPOSALS), "aes256-sha256"];
  const shared = { ikeProposals, espProposals };
  const seenOfA: Address = nat === undefined ? ADDRESS_A : ADDRESS_NAT;
  const bothActive = nat === undefined && random.chance(0.3);
  const lifetimes = () => ({
    ikeLifetimeSeconds: random.between(400, 1200),
    childLifetimeSeconds: random.between(300, 900),
    dpdSeconds: random.between(20, 90),
  });
  const slowestAnswer = random.pick([0, 10, 200]);
  const a = createGateway(
    {
      name: "A",
      address: ADDRESS_A,
      psk: "the same on both sides",
      slowestAnswer,
      ...(trace && { trace }),
      policy: onePolicy({
        ...shared,
        ...lifetimes(),
        localId: "a.example",
        peerId: "b.example",
        peer: ADDRESS_B,
        local: ADDRESS_A,
        start: "active",
        entries,
        encapsulation: random.chance(0.2) ? "udp" : "auto",
      }),
    },
    clock,
    network,
    random.fork(),
  );
  const b = createGateway(
    {
      name: "B",
      address: ADDRESS_B,
      psk: "the same on both sides",
      slowestAnswer,
      ...(trace && { trace }),
      policy: onePolicy({
        ...shared,
        ...lifetimes(),
        localId: "b.example",
        peerId: "a.example",
        ...(random.chance(0.8) || bothActive ? { peer: seenOfA } : {}),
        local: ADDRESS_B,
        start: bothActive ? "active" : "passive",
        entries: mirrored(entries),
        halfOpen: random.pick([64, 64, 1]),
      }),
    },
    clock,
    network,
    random.fork(),
  );
  return { a, b };
}

/** What operators, volume limits, NATs and power cuts do in the meantime. */
function disturb(
  random: SeededRandom,
  clock: Clock,
  network: Network,
  nat: Nat | undefined,
  a: Gateway,
  b: Gateway,
): void {
  const blackout = () => {
    const { loss } = network.conditions;
    network.conditions.loss = 1;
    clock.after(random.between(1, 150) * SECOND, () => {
      if (network.conditions.loss === 1) network.conditions.loss = loss;
    });
  };
  const softLimit = () => {
    const gateway = random.pick([a, b]);
    const child = [...gateway.dataPlane.children.keys()][0];
    if (child !== undefined) gateway.limit(child, "soft");
  };
  const actions: readonly (() => void)[] = [
    () => random.pick([a, b]).wish({ do: "rekeyChildren", tunnel: "t" }),
    () => random.pick([a, b]).wish({ do: "rekeyIke", tunnel: "t" }),
    softLimit,
    ...(nat === undefined ? [] : [() => nat.forget()]),
    ...(random.chance(0.2) ? [blackout] : []),
    ...(random.chance(0.1) ? [() => random.pick([a, b]).crash()] : []),
    ...(random.chance(0.1) ? [() => downAndUp(random, clock, a)] : []),
  ];
  for (let i = random.between(0, 5); i > 0; i--) clock.after(random.between(1, 600) * SECOND, random.pick(actions));
}

function downAndUp(random: SeededRandom, clock: Clock, gateway: Gateway): void {
  gateway.wish({ do: "down", tunnel: "t" });
  clock.after(random.between(1, 40) * SECOND, () => gateway.wish({ do: "up", tunnel: "t" }));
}

/** Runs until `problem` finds none, looking once a second. */
function untilTrue(clock: Clock, most: number, problem: () => string | undefined, wanted: string): void {
  const end = clock.now + most;
  for (;;) {
    const found = problem();
    if (found === undefined) return;
    assert(clock.now < end, `not within ${most / SECOND} s of a sound network: ${wanted}; ${found}`);
    clock.runUntil(clock.now + SECOND);
  }
}

/** Undefined when every mapping is carried in both directions by exactly one live child that both ends have. */
function problemOf(a: Gateway, b: Gateway): string | undefined {
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
      const live = [...here.dataPlane.children.values()].filter(({ pair }) => pair.mappings.includes(mapping));
      if (live.length !== 1) return `${here.name} has ${live.length} children for mapping ${mapping}`;
    }
    if (here.dataPlane.reserved.size > 0) return `${here.name} has reserved SPIs`;
  }
  return undefined;
}

function leftOf(gateway: Gateway): string | undefined {
  const { name, dataPlane } = gateway;
  if (dataPlane.children.size > 0) return `${name} has ${dataPlane.children.size} children`;
  if (dataPlane.reserved.size > 0) return `${name} has ${dataPlane.reserved.size} reserved SPIs`;
  const [view] = gateway.views();
  return view?.ike === undefined ? undefined : `${name} has an IKE SA`;
}

function counts(a: Gateway, b: Gateway): Pick<LifeCounts, "reports" | "children" | "ikeSas"> {
  const reports = new Map<string, number>();
  for (const { kind } of [...a.reports, ...b.reports]) reports.set(kind, (reports.get(kind) ?? 0) + 1);
  return {
    reports,
    children: reports.get("childEstablished") ?? 0,
    ikeSas: reports.get("ikeEstablished") ?? 0,
  };
}
