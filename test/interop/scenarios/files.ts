/** Tunnels whose peer runs the file that `causeway export` wrote, and, where `back` says so, we run what `causeway import` made of it. */
import { ping, type Scenario, transfer } from "../scenario.js";

export type FilePeer = "strongswan" | "strongswan-ipsec" | "libreswan";

export interface FilesRow extends Omit<Scenario, "peer"> {
  /** Our own configuration comes from the peer's file as well. */
  readonly back: boolean;
}

const common = { tier: "ci", steps: [ping("ours", 3), ping("peer", 3)] } as const;

/** For every peer; what it lacks, or needs told in another way, stands below. */
const everywhere: readonly Omit<FilesRow, "encapsulation">[] = [
  {
    ...common,
    name: "IKEv2, two mappings, identities that are names, and back again",
    role: "initiator",
    ike: "aes256gcm16-prfsha384-ecp384",
    esp: "aes256gcm16-ecp384",
    mappings: 2,
    back: true,
  },
  {
    ...common,
    name: "IKEv1 main mode, the peer calls, and back again",
    role: "responder",
    version: 1,
    ids: "address",
    ike: "aes256-sha256-modp2048",
    esp: "aes128-sha1-modp2048",
    back: true,
  },
  {
    ...common,
    tier: "full",
    name: "IKEv2, the peer calls, several proposals, lifetimes and a volume limit",
    role: "responder",
    ids: "address",
    ike: "aes256-aes128-sha256-sha1-ecp256-modp2048",
    esp: "aes256-aes128-sha256",
    ours: { ike: { lifetime: 3600 }, esp: { lifetime: 1200, volume: "1GiB" } },
    steps: [ping("ours", 3), transfer("peer", 5)],
    back: true,
  },
  {
    ...common,
    tier: "full",
    name: "IKEv2 with our default proposals",
    role: "initiator",
    ids: "address",
    ike: "aes256gcm16-aes128gcm16-chacha20poly1305-prfsha256-prfsha384-x25519-ecp256-modp2048",
    esp: "aes256gcm16-aes128gcm16-chacha20poly1305-x25519-ecp256-modp2048",
    back: false,
  },
  {
    ...common,
    tier: "full",
    name: "IKEv1 aggressive mode with names, 3DES and MD5",
    role: "initiator",
    version: 1,
    exchange: "aggressive",
    ike: "3des-md5-modp1536",
    esp: "3des-md5",
    ours: { legacy: true },
    back: true,
  },
  {
    ...common,
    tier: "full",
    name: "IKEv2, IPv6 outside and inside",
    role: "initiator",
    outer: 6,
    inner: 6,
    ids: "address",
    ike: "aes128-sha256-x25519",
    esp: "aes128gcm16",
    back: true,
  },
  {
    ...common,
    tier: "full",
    name: "IKEv2, a key identity, UDP encapsulation on purpose, no MOBIKE and no fragments",
    role: "initiator",
    ike: "camellia256-sha512-modp3072",
    esp: "aes192-sha512",
    ours: {
      local_id: "keyid:0x00ff23",
      encapsulation: "udp",
      ike: { mobike: false, fragmentation: "off" },
      dpd: "off",
    },
    back: true,
  },
];

/**
 * How ESP travels: strongSwan's userspace ESP always asks for UDP, the kernel's only where we do. Of the two daemons that share
 * strongSwan's code the second has one row of tier ci, as has libreswan, whose guest takes its time.
 */
export function filesRows(peer: FilePeer): readonly FilesRow[] {
  return everywhere.map((row, index) => ({
    ...row,
    tier: peer !== "strongswan" && index > 0 ? "full" : row.tier,
    encapsulation: peer !== "libreswan" || row.ours?.encapsulation === "udp" ? "udp" : "esp",
  }));
}
