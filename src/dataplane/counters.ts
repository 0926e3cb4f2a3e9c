/** The counters of two workers, added up: each has counted its own direction, and its own drops. */
import type { FromWorker, TunnelCounters } from "./protocol.js";

type Counters = Extract<FromWorker, { kind: "counters" }>;
type Numbers = Readonly<Record<string, number>>;

export function addCounters(a: Counters, b: Counters): Counters {
  return {
    ...a,
    tunnels: addEach(a.tunnels, b.tunnels, (x, y) => ({
      ...addTraffic(x, y),
      drops: addNumbers(x.drops, y.drops),
    })),
    children: addEach(a.children, b.children, addTraffic),
    drops: addNumbers(a.drops, b.drops),
    io: addNumbers(a.io as unknown as Numbers, b.io as unknown as Numbers) as unknown as Counters["io"],
  };
}

function addTraffic(a: Omit<TunnelCounters, "drops">, b: Omit<TunnelCounters, "drops">): Omit<TunnelCounters, "drops"> {
  return {
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
    packetsIn: a.packetsIn + b.packetsIn,
    packetsOut: a.packetsOut + b.packetsOut,
  };
}

function addNumbers(a: Numbers, b: Numbers): Numbers {
  return addEach(a, b, (x, y) => x + y);
}

/** What only one of them has stays as it is. */
function addEach<Value>(
  a: Readonly<Record<string, Value>>,
  b: Readonly<Record<string, Value>>,
  add: (x: Value, y: Value) => Value,
): Readonly<Record<string, Value>> {
  const sum: Record<string, Value> = { ...a };
  for (const [key, value] of Object.entries(b)) sum[key] = key in a ? add(a[key]!, value) : value;
  return sum;
}
