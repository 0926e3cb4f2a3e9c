/** The outer address of one end changes, and the tunnel goes on (RFC 4555). */
import { deleteBy, move, ping, rekey, type Scenario, transfer } from "../scenario.js";

const common = {
  tier: "ci",
  ike: "aes256-sha256-x25519",
  esp: "aes256gcm16",
  theirs: ["mobike = yes"],
  // Sockets for every address: the route to the peer decides which one is used.
  ourGateway: { address: undefined },
  // The child has to be the same one afterwards: no rehearsal of a rekey in between.
  ours: { esp: { pfs_check: false } },
} as const;

export const mobikeKernel: readonly Scenario[] = [
  {
    ...common,
    name: "initiator, our address changes twice: IKE SA and child are the same ones afterwards",
    peer: "strongswan-kernel",
    encapsulation: "esp",
    role: "initiator",
    steps: [ping("ours"), move("ours"), transfer("ours", 5), move("ours"), ping("peer"), rekey("child", "peer")],
    peerSays: [/N\(UPD_SA_ADDR\)/],
  },
];

const userspace = { ...common, peer: "strongswan-userspace", encapsulation: "udp" } as const;

export const mobikeUserspace: readonly Scenario[] = [
  {
    ...userspace,
    name: "initiator, our address changes twice, and the IKE SA is rekeyed in between",
    role: "initiator",
    steps: [
      ping("ours"),
      move("ours"),
      transfer("ours", 5),
      rekey("ike", "ours"),
      move("ours"),
      ping("peer"),
      deleteBy("ours"),
    ],
    peerSays: [/N\(UPD_SA_ADDR\)/],
  },
  {
    ...userspace,
    name: "responder, the peer's address changes twice",
    role: "responder",
    steps: [ping("peer"), move("peer"), transfer("peer", 5), move("peer"), rekey("child", "ours"), deleteBy("peer")],
    peerSays: [/N\(UPD_SA_ADDR\)/, /N\(COOKIE2\)/],
  },
];
