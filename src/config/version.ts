/**
 * What the version of IKE asks of the rest of a tunnel: IKEv1 has keys of its own, cannot choose a group where the first
 * message carries it already, names one port or all, and looks for the key by address.
 */
import { equalConstantTime } from "../../crypto/bytes.js";
import type { Usage } from "../../crypto/registry/level.js";
import { keywordOf, type NumberSpace } from "../../crypto/registry/lookup.js";
import type { KeyExchangeRow } from "../../crypto/registry/row.js";
import type { Secret } from "../../crypto/secret.js";
import { formatAddress } from "../../esp/address.js";
import type { TrafficSelector } from "../../esp/selector.js";
import type { TunnelPolicy } from "../../ike/core/policy.js";
import type { Findings } from "./findings.js";
import type { InheritedTunnel } from "./inherit.js";
import type { PlacedMapping } from "./mappings.js";
import type { ValuePath } from "./path.js";

export type IkeVersion = TunnelPolicy["ike"]["version"];
export type Exchange = NonNullable<TunnelPolicy["ike"]["exchange"]>;

/** The KB lifetime that IKEv1 products announce (decided once: 1843200 KiB). */
const V1_VOLUME = 1843200 * 1024;

export function versionOf({ block }: InheritedTunnel): IkeVersion {
  return block.ike?.version ?? 2;
}

/** Undefined in version 2. */
export function exchangeOf(tunnel: InheritedTunnel): Exchange | undefined {
  return versionOf(tunnel) === 1 ? (tunnel.block.ike?.exchange ?? "main") : undefined;
}

/** Where the numbers of a proposal stand (`crypto/registry`). */
export function numberSpace(version: IkeVersion, usage: Usage): NumberSpace {
  if (version === 2) return "ikev2";
  return usage === "ike" ? "phase1" : "phase2";
}

/** Of the ESP SAs, in octets; 0: off. */
export function espVolume(tunnel: InheritedTunnel): number {
  const written = tunnel.block.esp?.volume;
  if (written === "off") return 0;
  return written ?? (versionOf(tunnel) === 1 ? V1_VOLUME : 0);
}

/** Keys of one version in a tunnel of the other. A word of `defaults` is for those tunnels that it fits. */
export function complainOfForeignKeys(tunnel: InheritedTunnel, findings: Findings): void {
  if (tunnel.garbled("ike", "version")) return;
  const version = versionOf(tunnel);
  const { exchange, volume, mobike } = tunnel.block.ike ?? {};
  const tell = (key: string, found: string): void => {
    if (tunnel.says("ike", "version") && !tunnel.says("ike", key)) return;
    findings.complain(
      tunnel.where("ike", key),
      `found ${found}, which belongs to IKEv${3 - version}, and tunnel ${tunnel.name} speaks IKEv${version}; ` +
        `leave it out, or write version: ${3 - version} beside it`,
    );
  };
  if (version === 2 && exchange === "aggressive") tell("exchange", "aggressive");
  if (version === 2 && typeof volume === "number") tell("volume", "a volume limit of the IKE SA");
  if (version === 1 && mobike === true) tell("mobike", "true");
  if (version === 1 && tunnel.block.split === "never" && (tunnel.says("split") || !tunnel.says("ike", "version")))
    findings.complain(
      tunnel.where("split"),
      `found never, and tunnel ${tunnel.name} speaks IKEv1, where each mapping has an SA of its own (RFC 2407 section 4.6.2); ` +
        "leave it out, or write version: 2 beside it",
    );
}

/** The groups of a proposal and where it stands. */
export interface PlacedGroups {
  readonly groups: readonly KeyExchangeRow[];
  readonly path: ValuePath;
}

/** RFC 2409 sections 5.4 and 5.5: aggressive and quick mode send KE before the peer could choose. */
export function complainOfGroupChoice(
  offers: readonly PlacedGroups[],
  what: "aggressive mode" | "quick mode",
  findings: Findings,
): void {
  const words = (groups: readonly KeyExchangeRow[]) => groups.map((row) => keywordOf(row)).join(", ") || "no group";
  const rest =
    `${what} of IKEv1 sends the key exchange with its first message and cannot offer a choice ` +
    `(RFC 2409 section ${what === "quick mode" ? "5.5" : "5"}); name one group, the same for every proposal`;
  const [first, ...others] = offers;
  for (const { groups, path } of offers)
    if (groups.length > 1) {
      findings.complain(path, `found ${words(groups)}; ${rest}`);
      return;
    }
  for (const { groups, path } of others)
    if (groups[0] !== first!.groups[0]) {
      findings.complain(path, `found ${words(groups)}, and ${words(first!.groups)} before it; ${rest}`);
      return;
    }
}

/** RFC 2407 section 4.6.2: an identity of quick mode has one port, 0 for all. */
export function complainOfPortRanges(mappings: readonly PlacedMapping[], findings: Findings): void {
  for (const { local, peer, entry } of mappings)
    for (const [key, selector] of [
      ["local_ports", local],
      ["peer_ports", peer],
    ] as const)
      if (isPortRange(selector))
        findings.complain(
          [...entry, key],
          `found the range ${selector.startPort}-${selector.endPort}; allowed with IKE version 1: single ports, because ` +
            "a quick mode names one port or all of them (RFC 2407 section 4.6.2)",
        );
}

function isPortRange({ startPort, endPort }: TrafficSelector): boolean {
  return startPort !== endPort && !(startPort === 0 && endPort === 65535);
}

/**
 * Main mode encrypts the identities with the key, so the key is chosen by the peer's address: tunnels that an address cannot
 * tell apart must have the same (`decisions.md` 6).
 */
export function complainOfKeysByAddress(
  tunnels: readonly InheritedTunnel[],
  policies: readonly TunnelPolicy[],
  psk: ReadonlyMap<string, Secret>,
  findings: Findings,
): void {
  const first = new Map<string, { readonly name: string; readonly key: Secret }>();
  for (const { name, peer, ike, start } of policies) {
    const key = psk.get(name);
    // A peer with a name whom we call is known by the address that we called.
    if (ike.exchange !== "main" || (peer.kind === "name" && start !== "passive") || key === undefined) continue;
    const address = peer.kind === "address" ? formatAddress(peer.address) : "any address";
    const earlier = first.get(address);
    if (earlier === undefined) first.set(address, { name, key });
    else if (!equalConstantTime(earlier.key.reveal(), key.reveal()))
      findings.complain(
        tunnels.find((tunnel) => tunnel.name === name)!.where("psk"),
        `differs from the key of tunnel ${earlier.name}, and both expect main mode from ${address}: IKEv1 main mode chooses ` +
          "the key by the peer's address, before any identity is known; write the same key, or exchange: aggressive, or version: 2",
      );
  }
}

/** RFC 2409 section 5.4: HASH_R goes out in clear, made from the key and public values. */
export function warnOfAggressiveMode(tunnel: InheritedTunnel, weakKey: boolean, findings: Findings): void {
  if (exchangeOf(tunnel) !== "aggressive") return;
  const attack =
    "aggressive mode shows the identities and a hash of the pre-shared key to everybody who listens or calls, who can then " +
    "search for the key offline";
  if (weakKey)
    findings.warn(
      tunnel.where("psk"),
      `DANGER, A WEAK KEY IN AGGRESSIVE MODE: ${attack}, and this one will be found; take "openssl rand -base64 32", or ` +
        "exchange: main, or version: 2",
    );
  else
    findings.warn(
      tunnel.where("ike", "exchange"),
      `${attack}; keep a long random key, or take exchange: main or version: 2 where the peer has it`,
    );
}
