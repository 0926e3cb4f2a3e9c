/** The `gateway` block with its defaults. */
import { formatAddress, sameAddress } from "../../esp/address.js";
import { DEFAULT_CONTROL_SOCKET } from "./control-socket.js";
import type { Findings } from "./findings.js";
import type { GatewaySettings } from "./model.js";
import type { GatewayBlock } from "./schema.js";
import type { Surroundings } from "./surroundings.js";

export function buildGateway(block: GatewayBlock, host: Surroundings, findings: Findings): GatewaySettings {
  const ports = { ike: block.ports?.ike ?? 500, natT: block.ports?.nat_t ?? 4500 };
  if (ports.ike === ports.natT)
    findings.complain(
      ["gateway", "ports"],
      `found ${ports.ike} twice; allowed: two different ports for ike and nat_t (RFC 3948 tells ESP from IKE by the port)`,
    );
  const { address } = block;
  if (address !== undefined && !host.addresses.some((each) => sameAddress(each, address)))
    findings.warn(
      ["gateway", "address"],
      `${formatAddress(address)} is on no interface of this host, so nothing can be bound to it; behind a 1:1 NAT write the ` +
        "inner address here (or leave it out) and the outer one as local_id of the tunnels",
    );
  return {
    name: block.name ?? (host.hostname || "causeway"),
    ...(address && { address }),
    ports,
    tun: { name: block.tun?.name ?? "causeway0", mtu: block.tun?.mtu ?? "auto" },
    workers: block.dataplane?.workers === 2 ? 2 : 1,
    controlSocket: block.control?.socket ?? DEFAULT_CONTROL_SOCKET,
    log: { level: block.log?.level ?? "info", format: block.log?.format ?? "json" },
    ...(block.state_dir !== undefined && { stateDir: block.state_dir }),
    leakProtection: block.leak_protection ?? true,
  };
}
