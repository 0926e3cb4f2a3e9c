/** One tunnel after inheritance: what must be there, what fits together, and what it means to the protocol. */
import { type Address, formatAddress, sameAddress } from "../../esp/address.js";
import type { PolicyException } from "../../esp/exception.js";
import { LEAST_MTU } from "../../esp/mtu.js";
import { USUAL_WRAPPING, type Wrapping } from "../../esp/tunnel.js";
import { type Identity, parseIdentity } from "../../ike/core/identity.js";
import type { TunnelPolicy } from "../../ike/core/policy.js";
import { exceptionsOf } from "./exceptions.js";
import type { Findings } from "./findings.js";
import type { InheritedTunnel } from "./inherit.js";
import type { Limits } from "./limits.js";
import { expandPolicies, type PlacedMapping } from "./mappings.js";
import { numberingOf } from "./numbering.js";
import { parsePeer } from "./peer.js";
import { withheld } from "./profile-block.js";
import type { ProfileName } from "./profiles.js";
import { espProposals, ikeProposals } from "./proposals.js";
import {
  complainOfOtherMode,
  isRouteMode,
  routeModeMappings,
  routeModeOf,
  type WrittenRouteMode,
} from "./route-mode.js";
import { formatDuration } from "./scalars.js";
import type { GatewayBlock } from "./schema.js";
import { complainOfForeignKeys, complainOfPortRanges, espVolume, exchangeOf, versionOf } from "./version.js";

export interface BuiltTunnel {
  readonly policy: TunnelPolicy;
  readonly mappings: readonly PlacedMapping[];
  readonly wrapping: Wrapping;
  readonly profile?: ProfileName;
  readonly exceptions: readonly PolicyException[];
  readonly routeMode?: WrittenRouteMode;
}

const IKE_LIFETIME = 86400;
const ESP_LIFETIME = 3600;
const DPD_TIMEOUT = 30;

/** `undefined` when a key without a default is missing or wrong; that is among the findings then. */
export function buildTunnel(
  tunnel: InheritedTunnel,
  gatewayAddress: Address | undefined,
  gatewayBlock: GatewayBlock,
  limits: Limits,
  findings: Findings,
): BuiltTunnel | undefined {
  const { block, name } = tunnel;
  const { ike = {}, esp = {} } = block;
  requireKeys(tunnel, findings);
  const peer = peerOf(tunnel, gatewayAddress, findings);
  const localId = identityOf(tunnel, "local_id", findings);
  const peerId = identityOf(tunnel, "peer_id", findings);
  const routed = isRouteMode(tunnel);
  complainOfOtherMode(tunnel, findings);
  const expanded = routed
    ? routeModeMappings(tunnel)
    : expandPolicies(name, tunnel.where("policies"), block.policies ?? [], limits, findings.complain);
  const version = versionOf(tunnel);
  const exchange = exchangeOf(tunnel);
  if (version === 1) complainOfPortRanges(expanded.mappings, findings);
  complainOfForeignKeys(tunnel, findings);
  checkLifetimes(tunnel, findings);
  const { profile } = block;
  const omitted = profile && withheld(profile, block.legacy === true);
  const offersIt = block.ike?.proposals !== undefined && tunnel.says("ike", "proposals");
  if (omitted !== undefined && !offersIt) findings.warn(tunnel.where("profile"), omitted);
  const numbering = numberingOf(tunnel, gatewayBlock, findings);
  const ikeOffer = ikeProposals(tunnel, numbering, findings);
  const espOffer = espProposals(tunnel, numbering, findings);
  if (peer === undefined) return undefined;
  return {
    mappings: expanded.mappings,
    wrapping: wrappingOf(tunnel, expanded.mappings, findings),
    ...(profile && { profile }),
    exceptions: routed ? [] : exceptionsOf(tunnel, expanded.mappings, limits, findings),
    ...(routed && { routeMode: routeModeOf(tunnel) }),
    policy: {
      name,
      peer,
      ...(gatewayAddress && { localAddress: gatewayAddress }),
      ...(localId && { localId }),
      ...(peerId && { peerId }),
      start: block.start ?? "active",
      close: block.close ?? "restart",
      duplicates: block.duplicates ?? "replace",
      encapsulation: block.encapsulation ?? "auto",
      split: block.split ?? "auto",
      mappings: expanded.mappings.map(({ local, peer }) => ({ local, peer })),
      entries: expanded.entries,
      ike: {
        version,
        ...(exchange && { exchange }),
        proposals: ikeOffer,
        lifetimeSeconds: ike.lifetime ?? IKE_LIFETIME,
        ...(version === 1 && typeof ike.volume === "number" && { volumeOctets: ike.volume }),
        ...(ike.rekey_margin !== undefined && { rekeyMarginSeconds: ike.rekey_margin }),
        keepaliveSeconds: ike.keepalive === "off" ? 0 : (ike.keepalive ?? 20),
        reauth: ike.reauth ?? false,
        fragmentation: ike.fragmentation ?? "auto",
        mobike: version === 2 && (ike.mobike ?? true),
      },
      esp: {
        proposals: espOffer,
        lifetimeSeconds: esp.lifetime ?? ESP_LIFETIME,
        ...(esp.rekey_margin !== undefined && { rekeyMarginSeconds: esp.rekey_margin }),
        volumeOctets: espVolume(tunnel),
        replayWindow: esp.replay_window ?? 1024,
        pfsCheck: version === 2 && (esp.pfs_check ?? (block.start ?? "active") === "active"),
      },
      ...dpdOf(tunnel, peer),
    },
  };
}

function wrappingOf(tunnel: InheritedTunnel, mappings: readonly PlacedMapping[], findings: Findings): Wrapping {
  const { mtu = "auto", dscp, df, mss_clamp: clampMss, tfc_padding: tfcPadding = "off" } = tunnel.block.esp ?? {};
  const usual = USUAL_WRAPPING;
  if (mtu !== "auto" && mtu < LEAST_MTU[6] && mappings.some(({ peer }) => peer.family === 6))
    findings.complain(
      tunnel.where("esp", "mtu"),
      `found ${mtu}; allowed: at least ${LEAST_MTU[6]}, which every IPv6 link carries, because IPv6 goes through the tunnel`,
    );
  return {
    mtu: mtu === "auto" ? 0 : mtu,
    dscp: dscp ?? usual.dscp,
    df: df ?? usual.df,
    clampMss: clampMss ?? usual.clampMss,
    tfcPadding: tfcPadding === "off" ? 0 : tfcPadding,
  };
}

function requireKeys(tunnel: InheritedTunnel, findings: Findings): void {
  const { block } = tunnel;
  const allowed = {
    peer: "allowed: an IP address, a DNS name, or any (with start: passive)",
    psk: "allowed: { file: PATH } | { env: NAME } | a plain string",
    policies:
      "allowed: a list of blocks with local and peer, the address ranges on both sides; or routes, for route mode",
  };
  for (const [key, words] of Object.entries(allowed))
    if (
      !(key in block) &&
      !tunnel.garbled(key) &&
      !(key === "policies" && (isRouteMode(tunnel) || tunnel.garbled("routes")))
    )
      findings.complain(tunnel.where(key), `is missing; ${words}`);
}

function peerOf(
  tunnel: InheritedTunnel,
  gatewayAddress: Address | undefined,
  findings: Findings,
): TunnelPolicy["peer"] | undefined {
  const { peer: written, start = "active" } = tunnel.block;
  if (written === undefined) return undefined;
  const path = tunnel.where("peer");
  const peer = attempt(
    () => parsePeer(written),
    (reason) => findings.complain(path, reason),
  );
  if (peer?.kind === "any" && start !== "passive" && !tunnel.garbled("start"))
    findings.complain(
      path,
      `found "any" with start: ${start}; there is nobody to call: write start: passive, or the peer's address or name`,
    );
  if (peer?.kind === "address" && gatewayAddress !== undefined) {
    if (sameAddress(peer.address, gatewayAddress))
      findings.complain(
        path,
        `found "${written}", which is gateway.address itself; allowed: the address of the other side`,
      );
    else if (peer.address.family !== gatewayAddress.family)
      findings.complain(
        path,
        `found "${written}", but gateway.address is ${formatAddress(gatewayAddress)}; both must be of one address family`,
      );
  }
  return peer;
}

function identityOf(tunnel: InheritedTunnel, key: "local_id" | "peer_id", findings: Findings): Identity | undefined {
  const written = tunnel.block[key];
  if (written === undefined) return undefined;
  const allowed = "allowed: an address, a domain name, user@domain, keyid:… (DNs are not supported yet)";
  return attempt(
    () => parseIdentity(written),
    (reason) => findings.complain(tunnel.where(key), `${reason}; ${allowed}`),
  );
}

/** Where there is nobody to call, or the peer is to call, whatever is to be done about its death can only wait: it means `clear` there. */
function dpdOf(tunnel: InheritedTunnel, peer: TunnelPolicy["peer"]): Pick<TunnelPolicy, "dpd"> {
  const { dpd, start } = tunnel.block;
  if (dpd === "off") return {};
  const waits = peer.kind === "any" || start === "passive";
  const action = dpd?.action ?? "restart";
  return { dpd: { timeoutSeconds: dpd?.timeout ?? DPD_TIMEOUT, action: waits ? "clear" : action } };
}

/** Below these a lifetime is an experiment: rekeying would be all that the gateways do. */
const SHORT_LIFETIME = { ike: 60, esp: 180 };

function checkLifetimes(tunnel: InheritedTunnel, findings: Findings): void {
  const lifetimes = { ike: IKE_LIFETIME, esp: ESP_LIFETIME };
  for (const sa of ["ike", "esp"] as const) {
    const block = tunnel.block[sa];
    const lifetime = block?.lifetime ?? lifetimes[sa];
    const margin = block?.rekey_margin;
    if (lifetime < SHORT_LIFETIME[sa])
      findings.warn(
        tunnel.where(sa, "lifetime"),
        `${formatDuration(lifetime)} is short: below ${formatDuration(SHORT_LIFETIME[sa])} a lost packet can cost the tunnel`,
      );
    if (margin !== undefined && margin >= lifetime && !tunnel.garbled(sa, "lifetime"))
      findings.complain(
        tunnel.where(sa, "rekey_margin"),
        `found ${formatDuration(margin)}; allowed: less than the lifetime, which is ${formatDuration(lifetime)}`,
      );
  }
}

function attempt<Value>(read: () => Value, failed: (reason: string) => void): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    failed(error.message);
    return undefined;
  }
}
