/** What passed and what did not: per SA, per tunnel (over all its SAs, past and present), and for nobody. */
import { DROP_COUNT, dropRecord } from "./drop-reasons.js";
import type { ChildId } from "./sa.js";

export interface Traffic {
  readonly packetsIn: number;
  readonly packetsOut: number;
  /** Of inner packets. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface SadCounters {
  /** Monotonic over rekeys. */
  readonly tunnels: Readonly<Record<string, Traffic & { readonly drops: Readonly<Record<string, number>> }>>;
  readonly children: Readonly<Record<ChildId, Traffic>>;
  /** Drops that belong to no tunnel. */
  readonly drops: Readonly<Record<string, number>>;
}

export const NO_TRAFFIC: Traffic = { packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0 };

export function addTraffic(a: Traffic, b: Traffic): Traffic {
  return {
    packetsIn: a.packetsIn + b.packetsIn,
    packetsOut: a.packetsOut + b.packetsOut,
    bytesIn: a.bytesIn + b.bytesIn,
    bytesOut: a.bytesOut + b.bytesOut,
  };
}

export interface Ledger {
  /** A tunnel that shall be shown, with zeros at first. */
  open(tunnel: string): void;
  /** Forgets the tunnels that are not among these. */
  keep(tunnels: ReadonlySet<string>): void;
  /** Without a tunnel, or with one that is not known: nobody's drop. */
  drop(code: number, tunnel?: string): void;
  /** Adds what an SA carried that is no more. */
  retire(tunnel: string, traffic: Traffic): void;
  read(live: Iterable<{ readonly id: ChildId; readonly tunnel: string; readonly traffic: Traffic }>): SadCounters;
}

export function createLedger(): Ledger {
  const tunnels = new Map<string, { retired: Traffic; readonly drops: Float64Array }>();
  const nobody = new Float64Array(DROP_COUNT);

  function open(name: string) {
    const account = tunnels.get(name) ?? { retired: NO_TRAFFIC, drops: new Float64Array(DROP_COUNT) };
    tunnels.set(name, account);
    return account;
  }

  return {
    open,
    keep(names) {
      for (const name of tunnels.keys()) if (!names.has(name)) tunnels.delete(name);
    },
    drop(code, tunnel) {
      const drops = (tunnel === undefined ? undefined : tunnels.get(tunnel)?.drops) ?? nobody;
      drops[code] = drops[code]! + 1;
    },
    retire(tunnel, traffic) {
      const account = open(tunnel);
      account.retired = addTraffic(account.retired, traffic);
    },
    read(live) {
      const totals = new Map([...tunnels].map(([name, { retired }]) => [name, retired]));
      const children: Record<ChildId, Traffic> = {};
      for (const { id, tunnel, traffic } of live) {
        children[id] = traffic;
        totals.set(tunnel, addTraffic(totals.get(tunnel) ?? NO_TRAFFIC, traffic));
      }
      const entries = [...totals].map(([name, traffic]) => {
        const drops = tunnels.get(name)?.drops;
        return [name, { ...traffic, drops: drops ? dropRecord(drops) : {} }] as const;
      });
      return { tunnels: Object.fromEntries(entries), children, drops: dropRecord(nobody) };
    },
  };
}
