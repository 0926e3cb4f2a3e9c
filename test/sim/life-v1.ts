/** Whole lives of IKEv1: main and aggressive mode, quick modes, rekeys of both phases, DPD, Deletes that nobody answers. */
import { assertPartners } from "./data-plane.js";
import { countsOf, type LifeKind, runLife } from "./life.js";
import { type Pair, type PairOptions, SECOND } from "./pair.js";
import type { SeededRandom } from "./random.js";

const IKE_PROPOSALS = ["aes128-sha256-modp2048", "3des-md5-modp768", "aes256-sha1-modp1536"];
/** Quick mode cannot negotiate its group: one for all of them. */
const ESP_PROPOSALS = [
  ["aes128-sha1", "3des-md5"],
  ["aes256gcm16-modp2048"],
  ["aes256-sha256-modp1024", "aes128-sha1-modp1024"],
  ["aes128-sha256-esn"],
];
const ENTRIES = [
  [["10.1.0.0/16 10.2.0.0/16"]],
  [["10.1.0.0/24 10.2.0.0/24", "10.1.1.0/24 10.2.0.0/24"]],
  [["10.1.0.0/16 10.2.0.0/16"], ["2001:db8:1::/48 2001:db8:2::/48"]],
];

function optionsOf(random: SeededRandom): PairOptions {
  const exchange = random.pick(["main", "aggressive"] as const);
  const side = () => ({
    exchange,
    ikeLifetimeSeconds: random.between(110, 320),
    childLifetimeSeconds: random.between(80, 220),
    dpdSeconds: random.between(20, 90),
  });
  const natted = random.chance(0.3);
  const bothActive = !natted && random.chance(0.3);
  return {
    entries: random.pick(ENTRIES),
    ikeProposals: [random.pick(IKE_PROPOSALS)],
    espProposals: random.pick(ESP_PROPOSALS),
    slowestAnswer: random.pick([0, 10, 200]),
    anyPeer: !bothActive && random.chance(0.2),
    a: { ...side(), encapsulation: random.chance(0.2) ? "udp" : "auto" },
    b: { ...side(), start: bothActive ? "active" : "passive" },
    ...(natted && { natIdle: random.between(25, 200) * SECOND }),
  };
}

/** A child for each mapping, what replaced ones leave until their end, and what both sides began at the same time. */
const MOST_CHILDREN = 12;

/** Undefined when what either end sends has its partner at the other. There may be more: old children receive until their end. */
function disagreement({ a, b }: Pair): string | undefined {
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
    }
    const { size } = here.dataPlane.children;
    if (size > MOST_CHILDREN * here.mappings) return `${here.name} has ${size} children`;
    if (here.dataPlane.reserved.size > 0) return `${here.name} has reserved SPIs`;
  }
  return undefined;
}

export const IKEV1: LifeKind = { seconds: [60, 140], options: optionsOf, disagreement };

/** Schedules as `runSchedules` wants them. */
export const life = (seed: number) => countsOf(runLife(seed, {}, IKEV1));
export const carefulLife = (seed: number) => countsOf(runLife(seed, { careful: true }, IKEV1));
