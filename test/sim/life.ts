/**
 * A whole life of two gateways in one seeded schedule: they come up, carry several mappings, rekey children and IKE SA
 * by lifetime and by wish, watch each other, lose and repeat packets all the while, and end with a shutdown.
 */
import type { Gateway } from "./gateway.js";
import type { Conditions } from "./network.js";
import { createPair, disagreement, type Pair, type PairOptions, remains, runUntilSound, SECOND } from "./pair.js";
import { type SeededRandom, seededRandom } from "./random.js";

/** What happened in a run, to see that the schedules reach what they are meant to. */
export interface LifeCounts {
  /** Reports by kind, of both gateways. */
  readonly reports: ReadonlyMap<string, number>;
  readonly packets: number;
}

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

/** What a version of IKE makes of a schedule. */
export interface LifeKind {
  /** Between which times the first part of a life ends. */
  readonly seconds: readonly [shortest: number, longest: number];
  options(random: SeededRandom): PairOptions;
  /** Undefined when both ends agree. */
  disagreement(pair: Pair): string | undefined;
}

const IKEV2: LifeKind = { seconds: [200, 700], options: optionsOf, disagreement };

/** Throws `AssertionError` when an invariant breaks. `trace` gets every event and effect in words. */
export function runLife(
  seed: number,
  look: Pick<PairOptions, "careful" | "trace"> = {},
  kind: LifeKind = IKEV2,
): LifeCounts {
  const random = seededRandom(seed);
  const conditions = conditionsOf(random);
  const pair = createPair({ ...kind.options(random), ...look, conditions }, random.fork());
  const { clock, network, a, b } = pair;
  const packets = keepSending(pair, random.fork());
  disturb(pair, random.fork());
  clock.runUntil(random.between(...kind.seconds) * SECOND);

  Object.assign(network.conditions, { loss: 0, duplicate: 0, forge: 0 });
  runUntilSound(clock, SETTLE, () => kind.disagreement(pair), "both ends agree once the network is sound");

  if (random.chance(0.5)) Object.assign(network.conditions, conditions);
  const [first, second] = random.chance(0.5) ? [a, b] : [b, a];
  first.wish({ do: "shutdown" });
  clock.runUntil(clock.now + random.between(0, 3000));
  second.wish({ do: "shutdown" });
  runUntilSound(clock, SETTLE, () => remains(pair), "nothing is left after the shutdown");

  const reports = new Map<string, number>();
  for (const { kind } of [...a.reports, ...b.reports]) reports.set(kind, (reports.get(kind) ?? 0) + 1);
  return { reports, packets: packets() };
}

/** A schedule as `runSchedules` wants it. */
export const life = (seed: number) => countsOf(runLife(seed));
export const carefulLife = (seed: number) => countsOf(runLife(seed, { careful: true }));

export function countsOf({ reports, packets }: LifeCounts): readonly (readonly [string, number])[] {
  return [...reports, ["packets", packets]];
}

/** Packets of random mappings from either side, for as long as the run lasts; gives how many were sent. */
export function keepSending({ clock, a, b }: Pair, random: SeededRandom, longestPause = 8000): () => number {
  let packets = 0;
  const send = () => {
    const side = random.pick([a, b]);
    if (side.sendTraffic(random.integer(side.mappings))) packets++;
    clock.after(random.between(longestPause / 40, longestPause), send);
  };
  clock.after(0, send);
  return () => packets;
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

function optionsOf(random: SeededRandom): PairOptions {
  const side = () => ({
    ikeLifetimeSeconds: random.between(400, 1200),
    childLifetimeSeconds: random.between(300, 900),
    dpdSeconds: random.between(20, 90),
    halfOpen: random.pick([64, 64, 1]),
    reauth: random.chance(0.2),
    pfsCheck: random.chance(0.5),
    split: random.pick(["auto", "auto", "always"] as const),
  });
  const natted = random.chance(0.3);
  const bothActive = !natted && random.chance(0.3);
  return {
    entries: random.pick(ENTRIES),
    ikeProposals: [random.pick(IKE_PROPOSALS), "aes256-sha256-modp2048"],
    espProposals: [random.pick(ESP_PROPOSALS), "aes256-sha256"],
    slowestAnswer: random.pick([0, 10, 200]),
    anyPeer: !bothActive && random.chance(0.2),
    a: { ...side(), encapsulation: random.chance(0.2) ? "udp" : "auto" },
    b: { ...side(), start: bothActive ? "active" : "passive" },
    ...(natted && { natIdle: random.between(25, 200) * SECOND }),
  };
}

/** What operators, volume limits, NATs and power cuts do in the meantime. */
function disturb({ clock, network, nat, a, b }: Pair, random: SeededRandom): void {
  const both = [a, b];
  const blackout = () => {
    const { loss } = network.conditions;
    network.conditions.loss = 1;
    clock.after(random.between(1, 150) * SECOND, () => {
      if (network.conditions.loss === 1) network.conditions.loss = loss;
    });
  };
  const rekeyChildren = (gateway: Gateway) => gateway.wish({ do: "rekeyChildren", tunnel: "t" });
  const rekeyIke = (gateway: Gateway) => gateway.wish({ do: "rekeyIke", tunnel: "t" });
  const limit = (kind: "soft" | "hard") => {
    const gateway = random.pick(both);
    const children = [...gateway.dataPlane.children.keys()];
    if (children.length > 0) gateway.limit(random.pick(children), kind);
  };
  /** Two things so close together that their messages cross. */
  const crossing = () => {
    random.pick([rekeyChildren, rekeyIke])(a);
    clock.after(random.between(0, 300), () => random.pick([rekeyChildren, rekeyIke])(b));
  };
  const actions: readonly (() => void)[] = [
    () => rekeyChildren(random.pick(both)),
    () => rekeyIke(random.pick(both)),
    crossing,
    () => limit("soft"),
    ...(random.chance(0.2) ? [() => limit("hard")] : []),
    ...(nat === undefined ? [] : [() => nat.forget()]),
    ...(random.chance(0.2) ? [blackout] : []),
    ...(random.chance(0.1) ? [() => random.pick(both).crash()] : []),
    ...(random.chance(0.1) ? [() => downAndUp(clock, random, random.pick(both))] : []),
  ];
  for (let i = random.between(0, 6); i > 0; i--) clock.after(random.between(1, 500) * SECOND, random.pick(actions));
}

function downAndUp(clock: Pair["clock"], random: SeededRandom, gateway: Gateway): void {
  gateway.wish({ do: "down", tunnel: "t" });
  clock.after(random.between(1, 40) * SECOND, () => gateway.wish({ do: "up", tunnel: "t" }));
}
