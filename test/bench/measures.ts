/** What is measured. A measure is taken on one lane after the other, round by round; each gives one figure or several. */
import { run } from "../child.js";
import { type Congestion, RIGHT } from "./bed.js";
import type { Lane } from "./contender.js";
import { highestRate, type PacketPrograms } from "./packets.js";
import { spreadOf } from "./statistics.js";
import { type Direction, type StreamPrograms, streamPrograms } from "./stream.js";

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
const PACKET_SIZES = [64, 512, 1300] as const;
/** Low enough for every contender. */
const FIXED_RATE = 10_000;
const PING_SECONDS = 0.02;
const WARM_UP_SECONDS = 2;
const MEGA = 1e6;

export const PARTS = {
  tcp: "TCP, one stream, both directions, CUBIC and BBR; CPU per Gbit",
  packets: "UDP packets per second with at most 0.5 % lost",
  cpu: "CPU per UDP packet at a fixed rate",
  rtt: "round-trip time of an idle tunnel",
  memory: "resident memory behind the other parts",
} as const;
export type PartName = keyof typeof PARTS;

/** The measures of a part, in their order. */
export function measuresOf(
  part: PartName,
  lengths: Lengths,
  packets: PacketPrograms,
  congestions: readonly Congestion[],
): readonly Measure[] {
  switch (part) {
    case "tcp": {
      const programs = streamPrograms();
      const kinds = congestions.flatMap((congestion) =>
        (["forward", "reverse"] as const).map((direction) => ({ congestion, direction })),
      );
      return kinds.map((kind, i) => tcp(programs, kind.congestion, kind.direction, lengths.stream, i === 0));
    }
    case "packets":
      return PACKET_SIZES.map((octets, i) => packetRate(packets, octets, lengths.trial, i === 0));
    case "cpu":
      return [PACKET_SIZES[0], PACKET_SIZES[2]].map((octets) => fixedRate(packets, octets, lengths.fixedRate));
    case "rtt":
      return [roundTrip(lengths.pings)];
    case "memory":
      return [memory];
  }
}

function tcp(
  programs: StreamPrograms,
  congestion: Congestion,
  direction: Direction,
  seconds: number,
  first: boolean,
): Measure {
  const name = `TCP ${congestion.toUpperCase()} ${direction}`;
  return {
    async prepare(lane) {
      if (first) await programs.startServers(lane);
      if (first) await programs.run(lane, congestion, direction, WARM_UP_SECONDS);
    },
    async take(lane) {
      const before = await cost(lane);
      const streamed = await programs.run(lane, congestion, direction, seconds);
      const after = await cost(lane);
      if (after.tunneled - before.tunneled < streamed.octets)
        throw new Error(`${lane.contender.title}: ${name}: the stream did not pass through the tunnel`);
      const gigabits = (streamed.octets * 8) / 1e9;
      return [
        { row: name, unit: "Gbit/s", better: "higher", value: gigabits / streamed.seconds },
        {
          row: `  ${name}, CPU of both gateways`,
          unit: "s/Gbit",
          better: "lower",
          value: (after.cpu - before.cpu) / gigabits,
        },
      ];
    },
  };
}

/** CPU seconds of both gateways, and octets of the left one's TUN device. */
async function cost({ gateways }: Lane): Promise<{ readonly cpu: number; readonly tunneled: number }> {
  const [left, right] = gateways.processes;
  return { cpu: left.cpuSeconds() + right.cpuSeconds(), tunneled: await left.tunneledOctets() };
}

function packetRate(programs: PacketPrograms, octets: number, seconds: number, first: boolean): Measure {
  /** Later rounds begin near what the earlier ones found. */
  const found = new Map<Lane, number>();
  return {
    async prepare(lane) {
      if (first) await startedSink(programs, lane);
    },
    async take(lane) {
      const from = (found.get(lane) ?? 10_000) / 1.6;
      const { rate, sendersLimit } = await highestRate((one) => programs.trial(lane, octets, one, seconds), from);
      if (rate > 0) found.set(lane, rate);
      const note = sendersLimit ? { note: "the sender could do no more" } : {};
      return [{ row: `UDP ${octets} octets`, unit: "kpps", better: "higher", value: rate / 1000, ...note }];
    },
  };
}

const sinks = new WeakSet<Lane>();
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
      const row = `CPU per packet, ${octets} octets, ${FIXED_RATE / 1000} kpps`;
      return [{ row, unit: "us", better: "lower", value: ((cpu - before.cpu) * 1e6) / received }];
    },
  };
}

function roundTrip(pings: number): Measure {
  return {
    async take({ bed, contender }) {
      const words = ["ping", "-n", "-i", String(PING_SECONDS), "-c", String(pings), "-W", "1", RIGHT.host];
      const { stdout } = await run(bed.inside("left-host", ...words), { seconds: pings * PING_SECONDS + 20 });
      const times = [...stdout.matchAll(/ time=([\d.]+) ms/g)].map(([, milliseconds]) => Number(milliseconds));
      if (times.length < pings * 0.9)
        throw new Error(`${contender.title}: ${pings - times.length} of ${pings} pings lost`);
      return [{ row: "round trip, idle", unit: "ms", better: "lower", value: spreadOf(times).median }];
    },
  };
}

const memory: Measure = {
  async take({ gateways }) {
    const each = gateways.processes;
    const largest = (values: readonly number[]): number => Math.max(...values) / MEGA;
    return [
      {
        row: "resident memory",
        unit: "MB",
        better: "lower",
        value: largest(each.map((one) => one.residentOctets())),
      },
      { row: "  at its peak", unit: "MB", better: "lower", value: largest(each.map((one) => one.peakOctets())) },
    ];
  },
};
