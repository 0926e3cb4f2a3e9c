/** The answer of `status`: the core's views and the data plane's counters, in the words of the contract. Pure. */
import type { Instant } from "../../ike/core/types.js";
import type { ChildView, IkeView, TunnelView } from "../../ike/core/view.js";
import type { FromWorker, TunnelCounters } from "../dataplane/protocol.js";
import type { ChildStatus, Counters, IkeStatus, StatusReport, TunnelStatus } from "./status-model.js";

export type CountersMessage = Extract<FromWorker, { kind: "counters" }>;

export interface StatusSources {
  readonly gateway: string;
  readonly version: string;
  readonly startedAt: Instant;
  readonly now: Instant;
  readonly views: readonly TunnelView[];
  /** By tunnel name. */
  readonly tunOf: (tunnel: string) => string;
  /** Absent while the data plane starts anew. */
  readonly counters?: CountersMessage;
}

export function statusReport(sources: StatusSources): StatusReport {
  const { gateway, version, startedAt, now, views, counters } = sources;
  return {
    gateway: { name: gateway, version, uptime_s: seconds(now - startedAt), drops: counters?.drops ?? {} },
    tunnels: views.map((view) => tunnelStatus(view, sources)),
  };
}

function tunnelStatus(view: TunnelView, { now, counters, tunOf }: StatusSources): TunnelStatus {
  const { name, state, reason, peer, ike, children } = view;
  const counted = counters?.tunnels[name];
  return {
    name,
    state,
    reason,
    peer,
    tun: tunOf(name),
    ike: ike ? ikeStatus(ike, now) : null,
    children: children.map((child) => childStatus(child, now, counters)),
    counters: { ...countersOf(counted), drops: counted?.drops ?? {} },
  };
}

function ikeStatus(ike: IkeView, now: Instant): IkeStatus {
  return {
    version: ike.version,
    role: ike.role,
    local: ike.local,
    remote: ike.remote,
    local_id: ike.localId,
    peer_id: ike.peerId,
    spi_i: ike.spiI,
    spi_r: ike.spiR,
    proposal: ike.proposal,
    nat: ike.nat,
    established_s: seconds(now - ike.establishedAt),
    rekey_in_s: seconds(ike.rekeyAt - now),
  };
}

function childStatus(child: ChildView, now: Instant, counters: CountersMessage | undefined): ChildStatus {
  return {
    local: child.local,
    peer: child.peer,
    state: child.state,
    reason: child.reason,
    spi_in: spiText(child.spiIn),
    spi_out: spiText(child.spiOut),
    proposal: child.proposal ?? null,
    encapsulation: child.encapsulation ?? null,
    rekey_in_s: child.rekeyAt === undefined ? null : seconds(child.rekeyAt - now),
    ...countersOf(child.id === undefined ? undefined : counters?.children[child.id]),
  };
}

function countersOf(counted: Omit<TunnelCounters, "drops"> | undefined): Counters {
  return {
    bytes_in: counted?.bytesIn ?? 0,
    bytes_out: counted?.bytesOut ?? 0,
    packets_in: counted?.packetsIn ?? 0,
    packets_out: counted?.packetsOut ?? 0,
  };
}

function spiText(spi: number | undefined): string | null {
  return spi === undefined ? null : spi.toString(16).padStart(8, "0");
}

/** Whole seconds; a rekey that is due shows 0. */
function seconds(milliseconds: number): number {
  return Math.max(0, Math.floor(milliseconds / 1_000));
}
