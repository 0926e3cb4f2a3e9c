/** A router whose link towards the peer is narrower than ours. */
import { ping, rekey, type Scenario, transfer } from "../scenario.js";

const common = {
  tier: "ci",
  peer: "strongswan-userspace",
  encapsulation: "udp",
  ike: "aes256-sha256-x25519",
  pathMtu: 1280,
} as const;

export const narrowPath: readonly Scenario[] = [
  {
    ...common,
    name: "initiator, a path of 1280 octets, IPv4 inside: large transfers pass at once",
    role: "initiator",
    esp: "aes256gcm16",
    steps: [transfer("ours", 20), transfer("peer", 20), rekey("child", "ours"), transfer("ours", 5)],
  },
  {
    ...common,
    name: "responder, a path of 1280 octets, IPv6 inside: large transfers pass at once, padded packets too",
    role: "responder",
    inner: 6,
    esp: "aes256-sha256",
    ours: { esp: { tfc_padding: "mtu", dscp: 46 } },
    steps: [transfer("ours", 10), transfer("peer", 10), ping("peer")],
  },
];
