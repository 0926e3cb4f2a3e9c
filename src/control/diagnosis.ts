/** The answer of `GET /v1/diagnosis`: what `causeway doctor` has to know of a running daemon beside its status. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { adviceFor } from "../../ike/core/causes.js";
import type { Report } from "../../ike/core/report.js";
import type { Reports } from "../reports.js";
import { statusReport } from "./status-model.js";
import type { ValueOf } from "./value-of.js";

const count = () => z.int().min(0);

const mappingSetup = z.strictObject({
  local: z.string(),
  peer: z.string(),
  family: z.literal([4, 6]),
  source: z.string().nullable().meta({
    description:
      "An address of this host in the local range; null: it has none, and sends nothing of its own through the mapping.",
  }),
  target: z.string().meta({ description: "The first host of the peer range: what is asked for an echo." }),
});

const tunnelSetup = z.strictObject({
  name: z.string(),
  start: z.enum(["active", "passive", "on-traffic"]),
  peer: z.string().nullable().meta({ description: "An address or a name; null: anybody." }),
  version: z.literal([1, 2]),
  encapsulation: z.enum(["auto", "udp"]),
  proposals: z.array(z.string()),
  tun: z.string().meta({ description: "Its TUN device: in route mode its own." }),
  selectors: z.array(z.string()).meta({ description: "What is negotiated: local <-> peer." }),
  mappings: z.array(mappingSetup).meta({
    description:
      "What the gateway leads into that device: the mappings; in route mode the routes, and the networks of its addresses.",
  }),
});

export const setup = z
  .strictObject({
    gateway: z.string(),
    address: z.string().nullable().meta({ description: "Null: wildcard sockets." }),
    ports: z.strictObject({ ike: count(), natT: count() }),
    tun: z.string(),
    table: count().meta({ description: "The routing table of the gateway." }),
    default_table: count().meta({ description: "Likewise, of routes to everything." }),
    rules: z
      .array(z.strictObject({ family: z.literal([4, 6]), words: z.string(), priority: count() }))
      .meta({ description: "As words of ip-rule(8)." }),
    mark: count().meta({ description: "SO_MARK of the gateway's own packets." }),
    tunnels: z.array(tunnelSetup),
  })
  .meta({ id: "Setup", description: "What a diagnosis has to know of the configuration." });

const ioCounters = z.strictObject({
  espSent: count(),
  sendCalls: count(),
  wakeUps: count(),
  keepalives: count(),
  ikeUnsent: count(),
  pathsNarrowed: count(),
  narrowingsRefused: count(),
});

const failure = z.strictObject({
  code: z.string().meta({ description: "The code of the cause." }),
  detail: z.string(),
  advice: z.string(),
});

export const diagnosisReport = z
  .strictObject({
    setup,
    status: statusReport,
    daemon: z.strictObject({
      pid: count(),
      capabilities: z.string().nullable().meta({ description: "Effective capabilities, in hex; null: unreadable." }),
      raw_esp: z.boolean(),
      io: ioCounters.nullable().meta({ description: "Null: the data plane does not answer." }),
    }),
    failures: z.record(z.string(), failure).meta({
      description: "By tunnel: what went wrong last, if nothing has come up since.",
    }),
  })
  .meta({ id: "DiagnosisReport" });

export type MappingSetup = ValueOf<typeof mappingSetup>;
export type TunnelSetup = ValueOf<typeof tunnelSetup>;
export type Setup = ValueOf<typeof setup>;
export type Failure = ValueOf<typeof failure>;
export type DiagnosisReport = ValueOf<typeof diagnosisReport>;

export interface FailureBook {
  read(): Readonly<Record<string, Failure>>;
}

/** Follows the reports. Tunnels are configured ones, so the book is bounded. */
export function keepFailures(reports: Pick<Reports, "onReport">): FailureBook {
  const last = new Map<string, Failure>();
  reports.onReport((report: Report) => {
    const { tunnel } = report;
    if (tunnel === undefined) return;
    if (report.kind === "childEstablished") last.delete(tunnel);
    else if (report.kind === "failed")
      last.set(tunnel, { code: report.code, detail: report.detail, advice: adviceFor(report) });
  });
  return { read: () => Object.fromEntries(last) };
}

/** Of this process. */
export function ownCapabilities(): string | null {
  try {
    return /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? null;
  } catch {
    return null;
  }
}
