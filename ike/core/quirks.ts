/**
 * What products are known to do otherwise than a reader of the standards expects, found by the profile of a tunnel or by the vendor
 * IDs that a peer sends. Rows say what is seen and what it means here; none of them weakens a check.
 */
import { vendorName } from "./vendor-ids.js";

export interface Quirk {
  /** `profile:` of the tunnels that it concerns. */
  readonly profiles: readonly string[];
  /** How the names of its vendor IDs begin (`vendor-ids.ts`). Empty: it sends none that is known. */
  readonly vendors: readonly string[];
  readonly what: string;
  /** What Causeway does about it, or what the operator should. */
  readonly remedy: string;
  readonly source: string;
}

export const QUIRKS: readonly Quirk[] = [
  {
    profiles: ["fortigate"],
    vendors: ["Fortinet FortiGate"],
    what: "opens a second tunnel when both sides call at the same time",
    remedy: "duplicates: replace (the default) keeps one; start: passive on one side avoids it",
    source: "strongSwan documentation, interoperability with Fortinet",
  },
  {
    profiles: ["fortigate"],
    vendors: ["Fortinet FortiGate"],
    what: "sends NAT detection hashes that can be wrong",
    remedy: "a NAT may be seen where there is none: ESP then travels in UDP 4500, which has to be open",
    source: "strongSwan documentation, interoperability with Fortinet",
  },
  {
    profiles: ["fortigate"],
    vendors: ["Fortinet FortiGate"],
    what: "takes one pair of ranges for each child",
    remedy: "each mapping is negotiated as a child of its own",
    source: "strongswan/strongswan#2269",
  },
  {
    profiles: ["cisco-ios"],
    // Not "Cisco Unity", which many products send.
    vendors: ["Cisco (", "Cisco delete reason", "Cisco FlexVPN", "Cisco dynamic route"],
    what: "does not narrow traffic selectors, and takes one pair of ranges for each child (ASA)",
    remedy: "write the exact mirror image of its access list as policies",
    source: "strongswan/strongswan#1150",
  },
  {
    profiles: ["aws"],
    vendors: [],
    what: "takes the lowest value that it is configured with, not the first that the peer prefers",
    remedy: "restrict the options of the tunnel there to what you want",
    source: "docs.aws.amazon.com/vpn/latest/s2svpn/VPNTunnels.html",
  },
  {
    profiles: ["azure"],
    // Every Windows sends Microsoft's.
    vendors: [],
    what: "removes an idle policy-based tunnel after five minutes",
    remedy: "keep it busy, or let traffic bring it up: start: on-traffic",
    source: "MicrosoftDocs/azure-docs, VPN gateway FAQ",
  },
  {
    profiles: ["azure"],
    // Every Windows sends Microsoft's.
    vendors: [],
    what: "accepts any narrower selectors, and asks for 0.0.0.0/0 when it calls itself",
    remedy: "call from here: start: active, and let it answer",
    source: "learn.microsoft.com/azure/vpn-gateway, policy-based traffic selectors",
  },
  {
    profiles: ["gcp"],
    vendors: [],
    what: "chooses the cipher by who rekeys, and asks for all ranges in one child",
    remedy: "offer one cipher for each role, as the profile does",
    source: "cloud.google.com/network-connectivity/docs/vpn/concepts/supported-ike-ciphers",
  },
  {
    profiles: ["huawei"],
    vendors: [],
    what: "has SM4 and SM3 with IKEv1 alone",
    remedy: "ike: { version: 1 } with SM algorithms",
    source: "support.huaweicloud.com, VPN failure causes: ikev2 not support sm",
  },
  {
    profiles: ["libreswan"],
    vendors: ["libreswan"],
    what: "before 5.1 can end up with two children when both sides rekey at once",
    remedy: "let one side rekey clearly earlier: another esp.lifetime",
    source: "libreswan release notes, 5.1",
  },
  {
    profiles: ["strongswan"],
    vendors: ["strongSwan"],
    what: "drops first messages silently after a few half-open exchanges from one address",
    remedy: "wait half a minute after several failed tries",
    source: "strongSwan documentation, charon.cookie_threshold and charon.block_threshold",
  },
];

/** By the profile of a tunnel. */
export function quirksOfProfile(profile: string): readonly Quirk[] {
  return QUIRKS.filter(({ profiles }) => profiles.includes(profile));
}

/** By the names of the vendor IDs that a peer has sent. */
export function quirksOfVendors(names: readonly string[]): readonly Quirk[] {
  return QUIRKS.filter(({ vendors }) => vendors.some((vendor) => names.some((name) => name.startsWith(vendor))));
}

/** What a peer says that it is, for the story of a negotiation, and what such a product is known to do; empty when it says nothing. */
export function vendorStory(vendorIds: readonly { readonly data: Uint8Array }[]): string {
  const names = vendorIds.map(({ data }) => vendorName(data));
  if (names.length === 0) return "";
  const known = quirksOfVendors(names).map(({ what, remedy }) => `; known of it: it ${what} (${remedy})`);
  return `; it says it is ${names.join(", ")}${known.join("")}`;
}

/** Likewise of a peer that was called; undefined when it says nothing. */
export function answererStory(vendorIds: readonly { readonly data: Uint8Array }[]): string | undefined {
  const story = vendorStory(vendorIds);
  return story === "" ? undefined : `the peer answers${story}`;
}
