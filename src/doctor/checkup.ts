/** The whole examination: the host, the way to each peer, the negotiation, and the packets of the tunnels that are up. */
import { lookup } from "node:dns/promises";
import type { Random } from "../../crypto/interfaces.js";
import { type Address, formatAddress, parseAddress } from "../../esp/address.js";
import type { DiagnosisReport, Failure, Setup, TunnelSetup } from "../control/diagnosis.js";
import type { TunnelStatus } from "../control/status-model.js";
import { run } from "../host/command.js";
import { type Finding, fault, good, warning } from "./finding.js";
import { type EchoResult, type Hop, judgeHops, type Snapshot, traceHops } from "./hops.js";
import { checkHost } from "./host-checks.js";
import { type RouteFact, readDevices, readHostFacts, routeTo } from "./host-facts.js";
import { checkWay, type TunnelWay } from "./path-checks.js";
import { lookAtPath, type PathFacts } from "./path-facts.js";

export interface Checkup {
  readonly gateway: string;
  /** Whether a daemon answered. */
  readonly running: boolean;
  /** The finding that explains the others: the first fault in the order of what depends on what. Null: there is no fault. */
  readonly cause: Finding | null;
  readonly findings: readonly Finding[];
  readonly tunnels: readonly TunnelCheckup[];
}

export interface TunnelCheckup {
  readonly name: string;
  /** Null without a daemon. */
  readonly state: string | null;
  readonly echo: EchoResult | null;
  readonly hops: readonly Hop[];
}

export interface Patient {
  readonly setup: Setup;
  /** Reads the daemon anew; absent: none runs. */
  readonly ask?: () => Promise<DiagnosisReport>;
  /** Only this tunnel. */
  readonly tunnel?: string;
  /** Whom to ask for an echo, instead of the first host of each peer range. */
  readonly target?: string;
}

/** What depends on what: a fault that stands earlier explains those behind it. */
const ORDER = [
  "tun",
  "capabilities",
  "port-in-use",
  "port-closed",
  "name",
  "address",
  "reverse-path",
  "udp-500-filtered",
  "udp-4500-filtered",
  "esp-filtered",
  "peer-closed",
  "nat-without-encapsulation",
  "udp-500-blocked",
  "udp-4500-blocked",
  "route",
  "mtu-black-hole",
  "peer-silent",
  "selector",
  "proposal",
  "authentication",
  "negotiation",
  "forwarding",
  "forward-filtered",
  "nat-hits-tunnel",
  "esp-blocked",
];

export async function examine({ setup, ask, tunnel: only, target }: Patient, random: Random): Promise<Checkup> {
  const report = await ask?.();
  const facts = await readHostFacts({ table: setup.table, defaultTable: setup.default_table, mark: setup.mark });
  const findings: Finding[] = [
    report === undefined
      ? warning("daemon", "no daemon runs", 'start it ("causeway run -c FILE"), and ask again for what only it knows')
      : good("daemon", `the daemon runs (process ${report.daemon.pid}, up ${report.status.gateway.uptime_s} s)`),
    ...checkHost(setup, facts, report?.daemon),
  ];
  const tunnels: TunnelCheckup[] = [];
  const looked = new Map<string, PathFacts>();
  for (const tunnel of setup.tunnels.filter(({ name }) => only === undefined || name === only)) {
    const status = report?.status.tunnels.find(({ name }) => name === tunnel.name);
    const way = await explore(setup, tunnel, status, looked, random);
    findings.push(...checkWay(setup, facts, way));
    if (status !== undefined) findings.push(...checkNegotiation(tunnel, status, report?.failures[tunnel.name]));
    const traffic = ask && isUp(status) ? await watchTraffic(tunnel, ask, target) : undefined;
    if (traffic) findings.push(traffic.finding);
    tunnels.push({
      name: tunnel.name,
      state: status?.state ?? null,
      echo: traffic?.echo ?? null,
      hops: traffic?.hops ?? [],
    });
  }
  return { gateway: setup.gateway, running: report !== undefined, cause: causeOf(findings), findings, tunnels };
}

function isUp(status: TunnelStatus | undefined): status is TunnelStatus {
  return status?.state === "established" || status?.state === "degraded";
}

function causeOf(findings: readonly Finding[]): Finding | null {
  const rank = ({ code }: Finding): number => (ORDER.includes(code) ? ORDER.indexOf(code) : ORDER.length);
  return findings.filter(({ verdict }) => verdict === "fault").sort((a, b) => rank(a) - rank(b))[0] ?? null;
}

/** Routes first: without one there is nothing to send. The peer of several tunnels is looked at once. */
async function explore(
  setup: Setup,
  tunnel: TunnelSetup,
  status: TunnelStatus | undefined,
  looked: Map<string, PathFacts>,
  random: Random,
): Promise<TunnelWay> {
  const inner: (RouteFact | undefined)[] = [];
  for (const { target, source } of tunnel.mappings)
    inner.push(await routeTo(parseAddress(target), source === null ? {} : { from: source }));
  const known = { tunnel, inner, ...(status && { status }) };
  const remote = await remoteOf(tunnel, status);
  if (remote === undefined) return known;
  const local = setup.address === null ? undefined : parseAddress(setup.address);
  const outer = await routeTo(remote, { mark: setup.mark, ...(setup.address !== null && { from: setup.address }) });
  const there = { ...known, remote: formatAddress(remote), ...(outer && { outer }) };
  if (outer === undefined) return there;
  const key = `${formatAddress(remote)} ${tunnel.version} ${tunnel.proposals.join(" ")}`;
  const path =
    looked.get(key) ??
    (await lookAtPath(
      {
        remote,
        ...(local && { local }),
        mark: setup.mark,
        version: tunnel.version,
        proposals: tunnel.proposals,
        linkMtu: outer.mtu ?? 1500,
      },
      random,
    ));
  looked.set(key, path);
  return { ...there, path };
}

async function remoteOf({ peer }: TunnelSetup, status: TunnelStatus | undefined): Promise<Address | undefined> {
  const live = /^\[?([^\]]+?)\]?:\d+$/.exec(status?.ike?.remote ?? "")?.[1];
  for (const text of [live, peer ?? undefined]) {
    if (text === undefined) continue;
    try {
      return parseAddress(text);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  if (peer === null) return undefined;
  try {
    return parseAddress((await lookup(peer)).address);
  } catch {
    return undefined;
  }
}

/** Which finding a cause is. */
const REFUSALS: Readonly<Record<string, string>> = {
  TS_UNACCEPTABLE: "selector",
  SINGLE_PAIR_REQUIRED: "selector",
  NO_PROPOSAL_CHOSEN: "proposal",
  INVALID_KE_PAYLOAD: "proposal",
  PFS_MISMATCH: "proposal",
  AUTHENTICATION_FAILED: "authentication",
};

function checkNegotiation(tunnel: TunnelSetup, status: TunnelStatus, failure: Failure | undefined): Finding[] {
  const { name, state, reason } = status;
  if (state === "established") return [good("negotiation", "the tunnel is established", name)];
  if (failure !== undefined) {
    const ranges = tunnel.selectors.join(", ");
    const code = REFUSALS[failure.code] ?? "negotiation";
    const more = code === "selector" ? ` (ours: ${ranges})` : "";
    return [
      fault(
        code,
        `the tunnel is ${state}: ${failure.detail}${more}`,
        failure.advice === "" ? `"causeway explain ${name}" compares both sides` : failure.advice,
        name,
      ),
    ];
  }
  if (state === "passive" || state === "waiting")
    return [
      warning(
        "negotiation",
        `the tunnel is ${state}`,
        state === "passive" ? "the peer has to begin" : "a packet for the peer brings it up",
        name,
      ),
    ];
  return [
    fault(
      "negotiation",
      `the tunnel is ${state}${reason === "" ? "" : `: ${reason}`}`,
      `"causeway explain ${name}" tells more`,
      name,
    ),
  ];
}

const ECHOES = 3;

/** Sends echo requests through the first mapping that this host has an address for, and compares the counters around them. */
async function watchTraffic(
  tunnel: TunnelSetup,
  ask: () => Promise<DiagnosisReport>,
  target: string | undefined,
): Promise<{ finding: Finding; echo?: EchoResult; hops: readonly Hop[] } | undefined> {
  const mapping = tunnel.mappings.find(({ source }) => source !== null);
  const before = await snapshot(tunnel, ask);
  const echo = mapping?.source ? await sendEchoes(mapping.source, target ?? mapping.target) : undefined;
  const after = await snapshot(tunnel, ask);
  const status = after.report.status.tunnels.find(({ name }) => name === tunnel.name);
  if (status === undefined) return undefined;
  const hops = traceHops(tunnel.name, before, after, echo?.answered ?? 0);
  return { finding: judgeHops(status, hops, echo), ...(echo && { echo }), hops };
}

async function snapshot({ tun }: TunnelSetup, ask: () => Promise<DiagnosisReport>): Promise<Snapshot> {
  const report = await ask();
  const device = readDevices().get(tun);
  return { report, ...(device && { device }) };
}

/** Undefined: there is no ping on this host. */
async function sendEchoes(source: string, target: string): Promise<EchoResult | undefined> {
  try {
    const { output } = await run("ping", ["-n", "-c", String(ECHOES), "-i", "0.2", "-W", "1", "-I", source, target]);
    const [, sent, answered] = /(\d+) packets transmitted, (\d+) (?:packets )?received/.exec(output) ?? [];
    return { source, target, sent: Number(sent ?? ECHOES), answered: Number(answered ?? 0) };
  } catch {
    return undefined;
  }
}
