/**
 * What a packet costs with 1, 200 and 10,000 mappings, eight of them with an SA: the look-up of the policy alone, and
 * the whole way of a packet of 1400 octets through policy, SA and cipher, in both directions. CPU time of one thread; the numbers of
 * mappings take turns, round by round, and the figures are medians. `npm run bench -- lookup` prints them.
 */
import { createSealer, keyLengths, selectBackends } from "../../crypto/backends.js";
import { type ArenaMemory, createArena } from "../../crypto/openssl/arena.js";
import { rowByName } from "../../crypto/registry/lookup.js";
import { secret } from "../../crypto/secret.js";
import { type Family, parseAddress, parsePrefix } from "../../esp/address.js";
import { createIpHeader, readIpHeader } from "../../esp/ip-header.js";
import { type ChildParameters, createSad, type Sad } from "../../esp/sad.js";
import { selectorFromPrefix } from "../../esp/selector.js";
import { createSpd, SHARED_DEVICE } from "../../esp/spd.js";
import { udpPacket } from "../esp/packets.js";
import { formatSpread, spreadOf } from "./statistics.js";

const COUNTS = [1, 200, 10_000] as const;
const PACKET_BYTES = 1400;
const SLICE = 15;
const ROUNDS = 11;
/** Packets of so many flows come in turn; one flow is what a bulk transfer is. */
const FLOWS = [1, 512] as const;
/** Mappings that carry packets. */
const SAS = 8;

interface Setting {
  readonly family: Family;
  readonly count: number;
  readonly flows: number;
}

interface Probe {
  /** Times `packets` packets; microseconds of each. */
  measure(packets: number): number;
}

interface Row {
  readonly title: string;
  /** By number of mappings. */
  readonly probes: ReadonlyMap<number, Probe>;
}

/** Prints the table. */
export function lookupTable(): void {
  selectBackends();
  const rows = ([4, 6] as const).flatMap((family) =>
    FLOWS.flatMap((flows) => {
      const beds = COUNTS.map((count) => [count, createBed({ family, count, flows })] as const);
      const what = `IPv${family}, ${flows === 1 ? "one flow" : `${flows} flows`}`;
      return (["find", "send", "receive"] as const).map(
        (part): Row => ({ title: `${what}, ${TITLES[part]}`, probes: new Map(beds.map(([n, bed]) => [n, bed[part]])) }),
      );
    }),
  );
  console.log(
    `us of CPU time per packet, medians of ${ROUNDS} alternating rounds [lowest-highest]; ratios to one mapping`,
  );
  const width = Math.max(...rows.map(({ title }) => title.length));
  console.log(
    `${"".padEnd(width)}  ${COUNTS.map((count) => `${count} mapping${count > 1 ? "s" : ""}`.padEnd(30)).join("")}`,
  );
  for (const { title, probes } of rows) {
    const figures = new Map([...probes.keys()].map((count) => [count, [] as number[]]));
    const packets = new Map([...probes].map(([count, probe]) => [count, calibrate(probe)]));
    for (let round = 0; round < ROUNDS; round++)
      for (const [count, probe] of probes) figures.get(count)!.push(probe.measure(packets.get(count)!));
    const base = spreadOf(figures.get(COUNTS[0])!).median;
    const cells = [...figures.values()].map((values) => {
      const spread = spreadOf(values);
      return `${formatSpread(spread)} ${(spread.median / base).toFixed(2)}x`.padEnd(30);
    });
    console.log(`${title.padEnd(width)}  ${cells.join("")}`);
  }
}

const TITLES = { find: "policy alone", send: "policy, SA and cipher", receive: "cipher and selectors" } as const;

/** How many packets fill a slice, when warm. */
function calibrate(probe: Probe): number {
  let packets = 64;
  while (probe.measure(packets) * packets < SLICE * 1000) packets *= 2;
  return packets;
}

/** A gateway with as many mappings, each with an SA; both ends of them, so that what is sealed can be opened. */
function createBed({ family, count, flows }: Setting): Readonly<Record<keyof typeof TITLES, Probe>> {
  const arena = createArena(16 << 20);
  const at = arena.alloc(1 << 21);
  const tunnels = [{ name: "hub", mappings: mappings(family, count) }];
  const [near, far] = [
    createSad<string, string>(arena, () => {}, QUIET),
    createSad<string, string>(arena, () => {}, QUIET),
  ];
  near.setTunnels(tunnels);
  far.setTunnels([
    { name: "hub", mappings: tunnels[0]!.mappings.map(({ local, peer }) => ({ local: peer, peer: local })) },
  ]);
  // A few of them alone have an SA: ten thousand cipher contexts would measure the cache of the processor.
  const used = spread(count, Math.min(count, SAS));
  for (const [i, mapping] of used.entries()) {
    const { local, peer } = tunnels[0]!.mappings[mapping]!;
    install(arena, near, { local: [local], remote: [peer] }, mapping, 0x1000 + i, 0x9000 + i);
    install(arena, far, { local: [peer], remote: [local] }, mapping, 0x9000 + i, 0x1000 + i);
  }
  const packets = Array.from({ length: flows }, (_, i) => {
    const mapping = used[i % used.length]!;
    const place = at + i * 2048 + 64;
    arena.bytes.set(packetTo(family, mapping, i), place);
    return place;
  });
  const spd = createSpd(arena, tunnels);
  const header = createIpHeader();
  const work = at + flows * 2048;
  return {
    find: timed((i) => {
      readIpHeader(arena, packets[i % packets.length]!, PACKET_BYTES, header);
      return spd.find(header, SHARED_DEVICE);
    }),
    send: timed((i) => {
      const packet = packets[i % packets.length]!;
      const sa = near.route(packet, PACKET_BYTES, SHARED_DEVICE)!;
      arena.bytes.copyWithin(work + sa.innerOffset, packet, packet + PACKET_BYTES);
      return sa.sealAt(work, PACKET_BYTES, family === 4 ? 4 : 41);
    }),
    receive: timed((i) => {
      const packet = packets[i % packets.length]!;
      const sa = near.route(packet, PACKET_BYTES, SHARED_DEVICE)!;
      arena.bytes.copyWithin(work + sa.innerOffset, packet, packet + PACKET_BYTES);
      const length = sa.sealAt(work, PACKET_BYTES, family === 4 ? 4 : 41);
      return far.openAt(work, length, 0);
    }),
  };
}

/** Throws where a packet does not pass: a figure of drops would be worthless. */
function timed(one: (i: number) => number): Probe {
  return {
    measure(packets) {
      const begun = process.cpuUsage();
      for (let i = 0; i < packets; i++) if (one(i) < 0) throw new Error("a packet of the benchmark did not pass");
      const { user, system } = process.cpuUsage(begun);
      return (user + system) / packets;
    },
  };
}

const QUIET = { limit: () => {}, firstInbound: () => {} };

function mappings(family: Family, count: number) {
  const local = selectorFromPrefix(parsePrefix(family === 4 ? "172.16.0.0/16" : "fd00:1::/48"));
  return Array.from({ length: count }, (_, i) => ({
    local,
    peer: selectorFromPrefix(
      parsePrefix(family === 4 ? `10.${i >> 8}.${i & 255}.0/24` : `fd00:2:${i.toString(16)}::/48`),
    ),
  }));
}

/** So many of the mappings, evenly spread. */
function spread(count: number, chosen: number): readonly number[] {
  return Array.from({ length: chosen }, (_, i) => Math.floor(((i + 0.5) * count) / chosen));
}

function packetTo(family: Family, mapping: number, flow: number): Uint8Array {
  return udpPacket({
    source: family === 4 ? "172.16.3.4" : "fd00:1::7",
    destination: family === 4 ? `10.${mapping >> 8}.${mapping & 255}.9` : `fd00:2:${mapping.toString(16)}::9`,
    sourcePort: 4000 + flow,
    destinationPort: 5000,
    payload: new Uint8Array(PACKET_BYTES - (family === 4 ? 28 : 48)),
  });
}

function install(
  arena: ArenaMemory,
  sad: Sad<string, string>,
  selectors: Pick<ChildParameters, "local" | "remote">,
  mapping: number,
  spiIn: number,
  spiOut: number,
): void {
  const spec = { encryption: rowByName("encryption", "ENCR_AES_GCM_16"), keyBits: 256 };
  const { encryptionBytes } = keyLengths(spec);
  const sealer = () =>
    createSealer(arena, spec, {
      encryption: secret(new Uint8Array(encryptionBytes).fill(1)),
      integrity: secret(new Uint8Array(0)),
    });
  const address = { address: parseAddress("192.0.2.1"), port: 4500 };
  sad.install(
    {
      id: spiIn,
      tunnel: "hub",
      spiIn,
      spiOut,
      ...selectors,
      mappings: [mapping],
      path: { local: address, remote: address },
      extendedSequence: false,
      replayWindow: 1024,
      volume: { softOctets: 0, hardOctets: 0, softPackets: 0, hardPackets: 0 },
    },
    { inbound: sealer(), outbound: sealer() },
    "",
    0,
  );
  sad.use(spiIn, 0);
}
