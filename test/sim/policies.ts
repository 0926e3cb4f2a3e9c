/** Policies for simulated gateways, as src/config would make them. */
import { parseEspProposal, parseIkeProposal } from "../../crypto/registry/proposal.js";
import { secret } from "../../crypto/secret.js";
import { type Address, parseAddress, parsePrefix } from "../../esp/address.js";
import { selectorFromPrefix } from "../../esp/selector.js";
import { parseIdentity } from "../../ike/core/identity.js";
import type { Mapping, Policy, TunnelPolicy } from "../../ike/core/policy.js";

export interface SideOptions {
  readonly localId: string;
  readonly peerId: string;
  /** An address or a name. Absent: any. */
  readonly peer?: Address | string;
  readonly local: Address;
  /** Wildcard sockets: the route to the peer says what our address is. */
  readonly anyLocal?: true;
  readonly start: TunnelPolicy["start"];
  /** "10.1.0.0/16 10.2.0.0/16": ours, the peer's; one list for each entry. */
  readonly entries: readonly (readonly string[])[];
  readonly ikeProposals: readonly string[];
  readonly espProposals: readonly string[];
  /** IKEv1 in this mode; absent: IKEv2. */
  readonly exchange?: "main" | "aggressive";
  readonly ikeLifetimeSeconds: number;
  readonly childLifetimeSeconds: number;
  readonly encapsulation?: "auto" | "udp";
  readonly split?: TunnelPolicy["split"];
  readonly close?: TunnelPolicy["close"];
  readonly duplicates?: TunnelPolicy["duplicates"];
  readonly dpdSeconds?: number;
  readonly dpdAction?: "clear" | "restart" | "on-traffic";
  readonly reauth?: boolean;
  readonly pfsCheck?: boolean;
  /** Unfinished handshakes from which on cookies are asked for. */
  readonly halfOpen?: number;
  readonly fragmentation?: "auto" | "off";
  readonly mobike?: boolean;
  /** The octet that its secret for crash tokens is made of. */
  readonly crashSecret?: number;
}

/** A gateway with the one tunnel "t". */
export function onePolicy(options: SideOptions): Policy {
  const mappings: Mapping[] = [];
  const entries = options.entries.map((lines) => {
    const first = mappings.length;
    for (const line of lines) {
      const [local, peer] = line.split(" ").map((prefix) => selectorFromPrefix(parsePrefix(prefix)));
      mappings.push({ local: local!, peer: peer! });
    }
    return { first, count: lines.length };
  });
  const tunnel: TunnelPolicy = {
    name: "t",
    peer: peerOf(options),
    ...(!options.anyLocal && { localAddress: options.local }),
    localId: parseIdentity(options.localId),
    peerId: parseIdentity(options.peerId),
    start: options.start,
    close: options.close ?? "restart",
    duplicates: options.duplicates ?? "replace",
    encapsulation: options.encapsulation ?? "auto",
    split: options.split ?? "auto",
    mappings,
    entries,
    ike: {
      ...(options.exchange === undefined ? { version: 2 } : { version: 1, exchange: options.exchange }),
      proposals: options.ikeProposals.map(parseIkeProposal),
      lifetimeSeconds: options.ikeLifetimeSeconds,
      keepaliveSeconds: 20,
      reauth: options.reauth ?? false,
      fragmentation: options.fragmentation ?? "auto",
      mobike: options.mobike ?? true,
    },
    esp: {
      proposals: options.espProposals.map(parseEspProposal),
      lifetimeSeconds: options.childLifetimeSeconds,
      volumeOctets: 0,
      replayWindow: 64,
      pfsCheck: options.pfsCheck ?? false,
    },
    dpd: { timeoutSeconds: options.dpdSeconds ?? 60, action: options.dpdAction ?? "restart" },
  };
  const halfOpen = 8 * (options.halfOpen ?? 64) + 7;
  return {
    tunnels: [tunnel],
    ...(options.crashSecret !== undefined && { crashSecret: secret(new Uint8Array(32).fill(options.crashSecret)) }),
    ports: { ike: 500, natT: 4500 },
    limits: { halfOpen, halfOpenPerAddress: halfOpen },
  };
}

function peerOf({ peer }: SideOptions): TunnelPolicy["peer"] {
  if (peer === undefined) return { kind: "any" };
  return typeof peer === "string" ? { kind: "name", name: peer } : { kind: "address", address: peer };
}

/** The same tunnel seen from the other side: the mappings turned round. */
export function mirrored(entries: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return entries.map((lines) => lines.map((line) => line.split(" ").reverse().join(" ")));
}

export const ADDRESS_A = parseAddress("192.0.2.1");
export const ADDRESS_B = parseAddress("198.51.100.2");
/** Where B may move to. */
export const ADDRESS_B2 = parseAddress("198.51.100.77");
/** Of the NAT in front of A. */
export const ADDRESS_NAT = parseAddress("203.0.113.9");
