/** `causeway status`: one screen that says in words how every tunnel is. */
import { printable } from "../config/problem.js";
import type { ChildStatus, Counters, IkeStatus, StatusReport, TunnelStatus } from "../control/status-model.js";
import { fetchStatus } from "./client.js";
import { EXIT, type ExitStatus } from "./exit.js";
import { type SocketOptions, socketPath } from "./socket.js";
import { formatCount, formatOctets, formatSpan } from "./words.js";

/** Exit status 0 when the daemon answers, whatever the tunnels do. */
export async function showStatus(
  tunnel: string | undefined,
  options: SocketOptions & { readonly json?: boolean },
): Promise<ExitStatus> {
  const report = await fetchStatus(socketPath(options), tunnel);
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : renderStatus(report));
  return EXIT.done;
}

export function renderStatus({ gateway, tunnels }: StatusReport): string {
  const up = tunnels.filter(({ state }) => state === "established").length;
  const lines = [
    `${gateway.name}: causeway ${gateway.version}, up ${formatSpan(gateway.uptime_s)}, ` +
      `${up} of ${formatCount(tunnels.length, "tunnel")} established`,
    ...renderDrops(gateway.drops),
    ...tunnels.flatMap((tunnel) => ["", ...renderTunnel(tunnel)]),
  ];
  return `${lines.map(printable).join("\n")}\n`;
}

function renderTunnel({ name, state, reason, peer, tun, ike, children, counters }: TunnelStatus): readonly string[] {
  return [
    `${name}: ${state}${because(reason)}; peer ${peer}, device ${tun}`,
    ...(ike === null ? ["  no IKE SA"] : renderIke(ike)),
    ...children.flatMap(renderChild),
    `  total ${renderCounters(counters)}`,
    ...renderDrops(counters.drops),
  ];
}

const NAT_WORDS = {
  none: "no NAT",
  here: "NAT on our side",
  peer: "NAT on the peer's side",
  both: "NAT on both sides",
};

function renderIke(ike: IkeStatus): readonly string[] {
  return [
    `  IKEv${ike.version} ${ike.role}, ${ike.local} (${ike.local_id}) <-> ${ike.remote} (${ike.peer_id}), ${NAT_WORDS[ike.nat]}`,
    `    ${ike.proposal}, established ${formatSpan(ike.established_s)} ago, rekey in ${formatSpan(ike.rekey_in_s)}, ` +
      `SPIs ${ike.spi_i}_${ike.spi_r}`,
  ];
}

function renderChild(child: ChildStatus): readonly string[] {
  const head = `  ${child.local.join(", ")} <-> ${child.peer.join(", ")}: ${child.state}${because(child.reason)}`;
  if (child.spi_in === null || child.spi_out === null) return [head];
  const rekey = child.rekey_in_s === null ? "" : `, rekey in ${formatSpan(child.rekey_in_s)}`;
  return [
    `${head}${rekey}`,
    `    ${ENCAPSULATION_WORDS[child.encapsulation ?? "esp"]} ${child.proposal ?? ""}, SPI in ${child.spi_in}, out ${child.spi_out}`,
    `    ${renderCounters(child)}`,
  ];
}

const ENCAPSULATION_WORDS = { esp: "ESP", udp: "ESP in UDP" };

function renderCounters(counters: Counters): string {
  return (
    `in ${formatOctets(counters.bytes_in)} (${formatCount(counters.packets_in, "packet")}), ` +
    `out ${formatOctets(counters.bytes_out)} (${formatCount(counters.packets_out, "packet")})`
  );
}

function renderDrops(drops: Readonly<Record<string, number>>): readonly string[] {
  const counted = Object.entries(drops).filter(([, count]) => count > 0);
  if (counted.length === 0) return [];
  return [`  dropped ${counted.map(([reason, count]) => `${reason} ${count.toLocaleString("en-US")}`).join(", ")}`];
}

function because(reason: string): string {
  return reason === "" ? "" : ` (${reason})`;
}
