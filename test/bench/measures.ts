/** What is measured. A measure is taken on one lane after the other, round by round; each gives one figure or several. */
import { setTimeout as rest } from "node:timers/promises";
import { run } from "../child.js";
import { type Congestion, RIGHT } from "./bed.js";
import type { Lane } from "./contender.js";
import { highestRate, type Offload, type PacketPrograms } from "./packets.js";
import { quantile } from "./statistics.js";
import { type StreamKind, type StreamPrograms, streamPrograms } from "./stream.js";

export interface Figure {
  /** The title of its row; one figure of each title per lane and round. */
  readonly row: string;
  readonly unit: string;
  /** Which way is good. */
  readonly better: "higher" | "lower";
  readonly value: number;
  /** What the reader has to know about this value. */
  readonly note?: string;
}

export interface Measure {
  /** Once per lane, before the rounds. */
  prepare?(lane: Lane): Promise<void>;
  take(lane: Lane): Promise<readonly Figure[]>;
}

/** How long one measurement lasts, in seconds. */
export interface Lengths {
  readonly stream: number;
  readonly trial: number;
  readonly fixedRate: number;
  readonly pings: number;
}

/** Octets of UDP payload. */
const PACKET_SIZES = [64, 512, 1300, 1400] as const;
const OFFLOADED_SIZES = [64, 512, 1300] as const;
const OFFLOADS = ["UDP_GRO", "UDP_SEGMENT and UDP_GRO"] as const;
/** Streams at the same time. */
const SEVERAL = 4;
/** Low enough for every contender. */
const FIXED_RATE = 10_000;
const FLOOD_RATE = 2_000_000;
const PING_SECONDS = 0.02;
const WARM_UP_SECONDS = 2;
const MEGA = 1e6;

export const PARTS = {
  tcp: "TCP, one stream in both directions and four, CUBIC and BBR; CPU per Gbit",
  packets: "UDP packets per second with at most 0.5 % lost",
  cpu: "CPU per UDP packet at a fixed rate",
  rtt: "round-trip time of an idle tunnel, and beside a TCP stream that fills it",
  memory: "resident memory behind the other parts and a flood of small packets",
} as const;
export type PartName = keyof typeof PARTS;
/** `stream`: one TCP stream, for the comparison of suites. */
export type MeasuredPart = PartName | "stream";

/** The measures of a part, in their order. */
export function measuresOf(
  part: MeasuredPart,
  lengths: Lengths,
  packets: PacketPrograms,
  congestions: readonly Congestion[],
): readonly Measure[] {
  switch (part) {
    case "tcp": {
      const programs = streamPrograms();
      const kinds = congestions.flatMap((congestion) => [
        { congestion, direction: "forward", streams: 1 } as const,
        { congestion, direction: "reverse", streams: 1 } as const,
        { congestion, direction: "forward", streams: SEVERAL } as const,
      ]);
      return kinds.map((kind, i) => tcp(programs, kind, lengths.stream, i === 0));
    }
    case "packets": {
      const singly = PACKET_SIZES.map((octets) => packetRate(packets, octets, lengths.trial));
      if (packets.language !== "C") return singly;
      const offloaded = OFFLOADS.flatMap((how) =>
        OFFLOADED_SIZES.map((octets) => packetRate(packets, octets, lengths.trial, how)),
      );
      return [...singly, ...offloaded];
    }
    case "cpu":
      return [PACKET_SIZES[0], PACKET_SIZES[2]].map((octets) => fixedRate(packets, octets, lengths.fixedRate));
    case "rtt":
      return [roundTrip(lengths.pings), roundTripUnderLoad(streamPrograms(), lengths.pings)];
    case "memory":
      return [flood(packets, lengths.fixedRate)];
    case "stream":
      return [tcp(streamPrograms(), { congestion: "cubic", direction: "forward", streams: 1 }, lengths.stream, true)];
  }
}

function tcp(programs: StreamPrograms, kind: StreamKind, seconds: number, first: boolean): Measure {
  const { congestion, direction, streams } = kind;
  const name = `TCP ${congestion.toUpperCase()} ${direction}${streams > 1 ? `, ${streams} streams` : ""}`;
  return {
    async prepare(lane) {
      if (first) await startedServers(programs, lane);
      if (first) await programs.run(lane, kind, WARM_UP_SECONDS);
    },
    async take(lane) {
      const before = await cost(lane);
      const streamed = await programs.run(lane, kind, seconds);
      const after = await cost(lane);
      if (after.tunneled - before.tunneled < streamed.octets)
        throw new Error(`${lane.contender.title}: ${name}: the stream did not pass through the tunnel`);
      const gigabits = (streamed.octets * 8) / 1e9;
      const rate: Figure = { row: name, unit: "Gbit/s", better: "higher", value: gigabits / streamed.seconds };
      if (lane.gateways.processes.length === 0) return [rate];
      const cpu = after.cpu - before.cpu;
      return [
        rate,
        { row: `  ${name}, CPU of both gateways`, unit: "s/Gbit", better: "lower", value: cpu / gigabits },
        {
          row: `  ${name}, of one gateway for 1400 octets`,
          unit: "ns",
          better: "lower",
          value: ((cpu * 1e9) / 2 / streamed.octets) * 1400,
        },
      ];
    },
  };
}

/** CPU seconds of both gateways, and octets of the left one's TUN device. */
async function cost({ gateways }: Lane): Promise<{ readonly cpu: number; readonly tunneled: number }> {
  const cpu = gateways.processes.reduce((sum, process) => sum + process.cpuSeconds(), 0);
  return { cpu, tunneled: await gateways.tunneledOctets() };
}

function packetRate(programs: PacketPrograms, octets: number, seconds: number, how?: Offload): Measure {
  /** Later rounds begin near what the earlier ones found. */
  const found = new Map<Lane, number>();
  return {
    prepare: (lane) => startedSink(programs, lane),
    async take(lane) {
      const from = (found.get(lane) ?? 10_000) / 1.6;
      const { rate, sendersLimit } = await highestRate((one) => programs.trial(lane, octets, one, seconds, how), from);
      if (rate > 0) found.set(lane, rate);
      const note = sendersLimit ? { note: "the sender could do no more" } : {};
      return [
        {
          row: `UDP ${octets} octets${how === undefined ? "" : `, ${how}`}`,
          unit: "kpps",
          better: "higher",
          value: rate / 1000,
          ...note,
        },
      ];
    },
  };
}

const sinks = new WeakSet<Lane>();
const servers = new WeakSet<Lane>();
async function startedServers(programs: StreamPrograms, lane: Lane): Promise<void> {
  if (servers.has(lane)) return;
  await programs.startServers(lane);
  servers.add(lane);
}
async function startedSink(programs: PacketPrograms, lane: Lane): Promise<void> {
  if (sinks.has(lane)) return;
  await programs.startSink(lane);
  sinks.add(lane);
}

function fixedRate(programs: PacketPrograms, octets: number, seconds: number): Measure {
  return {
    prepare: (lane) => startedSink(programs, lane),
    async take(lane) {
      const before = await cost(lane);
      const { received } = await programs.trial(lane, octets, FIXED_RATE, seconds);
      const { cpu } = await cost(lane);
      if (lane.gateways.processes.length === 0) return [];
      const row = `CPU per packet, ${octets} octets, ${FIXED_RATE / 1000} kpps`;
      return [{ row, unit: "us", better: "lower", value: ((cpu - before.cpu) * 1e6) / received }];
    },
  };
}

function roundTrip(pings: number): Measure {
  return {
    async take(lane) {
      const times = await pingTimes(lane, pings);
      if (times.length < pings * 0.9)
        throw new Error(`${lane.contender.title}: ${pings - times.length} of ${pings} pings lost`);
      return [{ row: "round trip, idle", unit: "ms", better: "lower", value: quantile(times, 0.5) }];
    },
  };
}

/** CUBIC, because BBR keeps queues short by itself, whatever stands between. */
function roundTripUnderLoad(programs: StreamPrograms, pings: number): Measure {
  return {
    prepare: (lane) => startedServers(programs, lane),
    async take(lane) {
      const count = pings * 2;
      const kind = { congestion: "cubic", direction: "forward", streams: 1 } as const;
      const stream = programs.run(lane, kind, count * PING_SECONDS + 1);
      await rest(500);
      const times = await pingTimes(lane, count);
      await stream;
      if (times.length < count / 2)
        throw new Error(`${lane.contender.title}: ${count - times.length} of ${count} pings lost beside a stream`);
      return [
        { row: "round trip beside a stream, median", unit: "ms", better: "lower", value: quantile(times, 0.5) },
        { row: "  99th percentile", unit: "ms", better: "lower", value: quantile(times, 0.99) },
      ];
    },
  };
}

/** Of those that came back, in milliseconds. */
async function pingTimes({ bed }: Lane, count: number): Promise<number[]> {
  const words = ["ping", "-n", "-i", String(PING_SECONDS), "-c", String(count), "-W", "1", RIGHT.host];
  const { stdout } = await run(bed.inside("left-host", ...words), { seconds: count * PING_SECONDS + 20 });
  return [...stdout.matchAll(/ time=([\d.]+) ms/g)].map(([, milliseconds]) => Number(milliseconds));
}

/** As many small packets as the sender can send, whatever becomes of them; then what the larger gateway has in memory. */
function flood(programs: PacketPrograms, seconds: number): Measure {
  return {
    prepare: (lane) => startedSink(programs, lane),
    async take(lane) {
      const each = lane.gateways.processes;
      if (each.length === 0) return [];
      await programs.trial(lane, PACKET_SIZES[0], FLOOD_RATE, seconds);
      const largest = (values: readonly number[]): number => Math.max(...values) / MEGA;
      return [
        {
          row: "resident memory behind a flood",
          unit: "MB",
          better: "lower",
          value: largest(each.map((one) => one.residentOctets())),
        },
        {
          row: "  its peak since the start",
          unit: "MB",
          better: "lower",
          value: largest(each.map((one) => one.peakOctets())),
        },
      ];
    },
  };
}
