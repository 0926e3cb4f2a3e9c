/**
 * "Connected but no traffic", hop by hop: what the counters say of the packets of one tunnel, before and after a few echo requests through it.
 * The first hop that lets nothing through is the answer. Pure.
 */
import { type DropReason, dropSentence } from "../../esp/drop-reasons.js";
import type { DiagnosisReport } from "../control/diagnosis.js";
import type { TunnelStatus } from "../control/status-model.js";
import { type Finding, fault, good, unknown, warning } from "./finding.js";
import type { DeviceFact } from "./host-facts.js";

/** The counters at one moment. */
export interface Snapshot {
  readonly report: DiagnosisReport;
  readonly device?: DeviceFact;
}

/** What came of the echo requests. */
export interface EchoResult {
  readonly source: string;
  readonly target: string;
  readonly sent: number;
  readonly answered: number;
}

export interface Hop {
  readonly hop: "TUN in" | "policy" | "sealed" | "sent" | "received" | "opened" | "selector" | "TUN out" | "answered";
  /** Packets of the tunnel while the doctor looked; those of the device, at its two ends. */
  readonly packets: number;
  /** Packets of the tunnel since the daemon runs. */
  readonly total: number;
  /** Drops at this hop while the doctor looked, by reason. */
  readonly drops: Readonly<Record<string, number>>;
}

const POLICY: readonly DropReason[] = [
  "noPolicy",
  "linkLocal",
  "noSa",
  "narrowed",
  "heldFull",
  "heldExpired",
  "ownPeerAddress",
  "malformed",
];
const SEAL: readonly DropReason[] = ["tooBig", "sequenceExhausted", "hardLimit", "badOffload", "ttl"];
const SEND: readonly DropReason[] = ["queueFull", "sendFailed"];
const ARRIVE: readonly DropReason[] = [
  "unknownSpi",
  "larvalFull",
  "larvalExpired",
  "notEsp",
  "notFromPeer",
  "shortEsp",
];
const OPEN: readonly DropReason[] = [
  "forged",
  "replayed",
  "replayedOld",
  "badPadding",
  "badNextHeader",
  "ecnCorrupt",
  "dummy",
];
const SELECT: readonly DropReason[] = ["selectorMismatch"];

type Drops = Readonly<Record<string, number>>;

export function traceHops(tunnel: string, before: Snapshot, after: Snapshot, answered: number): readonly Hop[] {
  const [was, now] = [before, after].map(({ report }) => report.status.tunnels.find(({ name }) => name === tunnel));
  if (was === undefined || now === undefined) return [];
  const dropsNow = allDrops(after.report, now);
  const drops = difference(allDrops(before.report, was), dropsNow);
  const of = (reasons: readonly DropReason[]): Drops => pick(drops, reasons);
  const totalOf = (reasons: readonly DropReason[]): number => sum(pick(dropsNow, reasons));
  const device = (side: "transmitted" | "received") => ({
    packets: (after.device?.[side] ?? 0) - (before.device?.[side] ?? 0),
    total: after.device?.[side] ?? 0,
  });
  const out = { packets: now.counters.packets_out - was.counters.packets_out, total: now.counters.packets_out };
  const opened = { packets: now.counters.packets_in - was.counters.packets_in, total: now.counters.packets_in };
  const sealLoss = { packets: sum(of(SEAL)), total: totalOf(SEAL) };
  const matched = { packets: out.packets + sealLoss.packets, total: out.total + sealLoss.total };
  const refused = { packets: sum(of(OPEN)), total: totalOf(OPEN) };
  const foreign = { packets: sum(of(SELECT)), total: totalOf(SELECT) };
  const came = {
    packets: opened.packets + refused.packets + foreign.packets + sum(of(ARRIVE)),
    total: opened.total + refused.total + foreign.total + totalOf(ARRIVE),
  };
  return [
    { hop: "TUN in", ...device("transmitted"), drops: {} },
    { hop: "policy", ...matched, drops: of(POLICY) },
    { hop: "sealed", ...out, drops: of(SEAL) },
    { hop: "sent", packets: out.packets - sum(of(SEND)), total: out.total - totalOf(SEND), drops: of(SEND) },
    { hop: "received", ...came, drops: of(ARRIVE) },
    { hop: "opened", packets: opened.packets + foreign.packets, total: opened.total + foreign.total, drops: of(OPEN) },
    { hop: "selector", ...opened, drops: of(SELECT) },
    { hop: "TUN out", ...device("received"), drops: {} },
    { hop: "answered", packets: answered, total: answered, drops: {} },
  ];
}

/** The hop that fails, as a finding about the tunnel. `echo` absent: there was nothing to send with, so the totals are judged. */
export function judgeHops(status: TunnelStatus, hops: readonly Hop[], echo: EchoResult | undefined): Finding {
  const { name } = status;
  if (echo !== undefined && echo.answered > 0)
    return good(
      "traffic",
      `${echo.answered} of ${echo.sent} echo requests from ${echo.source} to ${echo.target} were answered through the tunnel`,
      name,
    );
  const at = (hop: Hop["hop"]): Hop => hops.find((one) => one.hop === hop)!;
  const count = (hop: Hop["hop"]): number => (echo === undefined ? at(hop).total : at(hop).packets);
  if (hops.length === 0) return unknown("traffic", "the daemon told nothing about its packets", name);
  if (echo === undefined && at("sent").total === 0 && at("received").total === 0)
    return unknown(
      "traffic",
      "nothing has gone through the tunnel yet, and this host has no address of its own to send from in the local ranges",
      name,
    );
  if (echo !== undefined && count("TUN in") === 0)
    return fault(
      "hop-tun-in",
      "the echo requests did not reach the TUN device",
      'look at "ip route get" and "ip rule", and at the packet filter\'s output chain',
      name,
    );
  if (count("policy") === 0)
    return fault(
      "hop-policy",
      `packets reach the TUN device and match no mapping that is up${words(at("policy").drops)}`,
      "compare the packets' addresses with the mappings of the tunnel",
      name,
    );
  if (count("sealed") === 0)
    return fault(
      "hop-sealed",
      `packets match a mapping and cannot be sealed${words(at("sealed").drops)}`,
      "the reasons tell; a rekey renews a worn SA",
      name,
    );
  if (count("sent") === 0)
    return fault(
      "hop-sent",
      `the system refuses to send the sealed packets${words(at("sent").drops)}`,
      "look at the packet filter's output chain and at the route to the peer",
      name,
    );
  if (count("received") === 0) return nothingBack(status, at("received"));
  if (count("opened") === 0)
    return fault(
      "hop-opened",
      `packets of the peer arrive and do not open${words({ ...at("received").drops, ...at("opened").drops })}`,
      "bring the tunnel down and up; keys that differ mean a broken implementation, forged packets an attack",
      name,
    );
  if (count("selector") === 0)
    return fault(
      "selector",
      `packets of the peer open, and its traffic selectors do not cover them${words(at("selector").drops)}`,
      "the peer sends from addresses outside of the mapping: compare its policies with ours",
      name,
    );
  if (echo !== undefined && count("TUN out") === 0)
    return fault(
      "hop-tun-out",
      "packets open and do not leave through the TUN device",
      "is the device up? look at the daemon's log",
      name,
    );
  if (echo === undefined) return good("traffic", "packets have passed in both directions", name);
  return warning(
    "no-answer",
    `packets come back through the tunnel, and no answer from ${echo.target}`,
    "is there such a host, does it answer echo requests, and does this host's packet filter let them in? (--target ADDRESS asks another one)",
    name,
  );
}

/** Everything of ours has left, and nothing has come. */
function nothingBack({ name, children }: TunnelStatus, { total }: Hop): Finding {
  const raw = children.some(({ encapsulation }) => encapsulation === "esp");
  if (total > 0)
    return warning(
      "no-answer",
      "sealed packets leave and nothing comes back now, though packets have come before",
      "does the host that was asked exist (--target ADDRESS asks another one)? does the peer route the local ranges into the tunnel?",
      name,
    );
  if (raw)
    return fault(
      "esp-blocked",
      "IKE works, sealed packets leave, and no ESP packet has ever come: something on the way, or the peer's packet filter, blocks ESP (IP protocol 50)",
      'permit IP protocol 50 in both directions, or set "encapsulation: udp" (ESP in UDP port 4500)',
      name,
    );
  return fault(
    "nothing-back",
    "IKE works, sealed packets leave in UDP, and nothing has ever come back",
    "the peer drops them, or does not route the local ranges into the tunnel: look at its counters and its packet filter",
    name,
  );
}

function words(drops: Drops): string {
  const named = Object.entries(drops).filter(([, packets]) => packets > 0);
  if (named.length === 0) return "";
  return ` (${named.map(([reason, packets]) => `${packets}: ${dropSentence(reason as DropReason)}`).join("; ")})`;
}

function allDrops({ status }: DiagnosisReport, tunnel: TunnelStatus): Drops {
  const all: Record<string, number> = { ...status.gateway.drops };
  for (const [reason, packets] of Object.entries(tunnel.counters.drops)) all[reason] = (all[reason] ?? 0) + packets;
  return all;
}

function difference(before: Drops, after: Drops): Drops {
  return Object.fromEntries(
    Object.entries(after).map(([reason, packets]) => [reason, packets - (before[reason] ?? 0)]),
  );
}

function pick(drops: Drops, reasons: readonly DropReason[]): Drops {
  return Object.fromEntries(reasons.flatMap((reason) => (drops[reason] ? [[reason, drops[reason]]] : [])));
}

function sum(drops: Drops): number {
  return Object.values(drops).reduce((total, packets) => total + packets, 0);
}
