/** A router between the gateways that translates address and port of the side behind it. */
import { deleteBy, life, ping, reconnect, rekey, remap, type Scenario, transfer } from "../scenario.js";

const common = { tier: "ci", encapsulation: "udp", ike: "aes256-sha256-x25519", esp: "aes256gcm16" } as const;

/** strongSwan with userspace ESP, which does not notice by ESP that our mapping changed. */
export const natUserspace: readonly Scenario[] = [
  {
    ...common,
    name: "initiator, we are behind the translation, a whole life",
    peer: "strongswan-userspace",
    role: "initiator",
    behindNat: "ours",
    steps: life("initiator", 20),
  },
  {
    ...common,
    name: "responder, the peer is behind the translation, which changes twice",
    peer: "strongswan-userspace",
    role: "responder",
    behindNat: "peer",
    steps: [
      ping("ours"),
      transfer("ours", 20),
      transfer("peer", 20),
      rekey("child", "ours"),
      rekey("ike", "peer"),
      remap("peer"),
      transfer("ours", 5),
      remap("peer"),
      rekey("child", "peer"),
      rekey("ike", "ours"),
      deleteBy("peer"),
      reconnect("peer"),
      ping("ours"),
    ],
  },
];

/** strongSwan with the ESP of a Linux kernel, which tells when a mapping changed. */
export const natKernel: readonly Scenario[] = [
  {
    ...common,
    name: "initiator, we are behind the translation, which changes twice",
    peer: "strongswan-kernel",
    role: "initiator",
    behindNat: "ours",
    steps: [
      ping("ours"),
      transfer("peer", 20),
      remap("ours"),
      transfer("peer", 5),
      rekey("ike", "peer"),
      remap("ours"),
      rekey("child", "ours"),
      ping("peer"),
    ],
  },
  {
    ...common,
    name: "responder, the peer is behind the translation, which changes",
    peer: "strongswan-kernel",
    role: "responder",
    behindNat: "peer",
    steps: [ping("peer"), transfer("ours", 20), remap("peer"), transfer("ours", 5), rekey("ike", "ours"), ping("ours")],
  },
];
