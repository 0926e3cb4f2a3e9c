/** IKE messages of 6 KB over a path that drops IP fragments: they pass in fragments of their own (RFC 7383). */
import { deleteBy, ping, rekey, type Scenario } from "../scenario.js";

const common = {
  tier: "ci",
  peer: "strongswan-kernel",
  dropsFragments: true,
  encapsulation: "esp",
  ike: "aes256-sha256-x25519",
} as const;

/** 150 IPv6 networks of the peer's: each is 40 octets of TSi, in the request and in the answer. */
const NETWORKS = ["fd81:2::/64", ...Array.from({ length: 149 }, (_, i) => `fd81:${(0x100 + i).toString(16)}::/64`)];

/** 75 ESP proposals of 80 octets each, of which the peer takes the last. */
const PROPOSALS = [...manyProposals().slice(0, 74), "aes256gcm16"];

function manyProposals(): readonly string[] {
  const ciphers = ["aes128", "aes192", "aes256", "aes128ctr", "aes192ctr", "aes256ctr"];
  const hashes = ["sha256", "sha384", "sha512", "aesxcbc", "aescmac"];
  const found: string[] = [];
  for (const [i, a] of ciphers.entries())
    for (const [k, b] of ciphers.entries())
      for (const c of ciphers.slice(k + 1))
        for (const [m, d] of hashes.entries())
          for (const e of hashes.slice(m + 1)) if (k > i) found.push([a, b, c, d, e].join("-"));
  return found;
}

export const fragments: readonly Scenario[] = [
  {
    ...common,
    name: "responder, IKE_AUTH of 6 KB both ways: 150 networks in one child",
    role: "responder",
    inner: 6,
    esp: "aes256gcm16",
    ours: { policies: [{ local: ["fd81:1::/64"], peer: NETWORKS }] },
    ourGateway: { limits: { peers_per_policy: 200 } },
    theirChild: [`local_ts = ${NETWORKS.join(",")}`],
    steps: [
      ping("ours"),
      rekey("child", "ours"),
      rekey("child", "peer"),
      rekey("ike", "ours"),
      ping("peer"),
      deleteBy("peer"),
    ],
    peerSays: [/splitting IKE message/, /received fragment #[0-9]+ of [0-9]+/],
  },
  {
    ...common,
    name: "initiator, our IKE_AUTH of 6 KB: 75 proposals",
    role: "initiator",
    esp: "aes256gcm16",
    ours: { esp: { proposals: PROPOSALS } },
    steps: [ping("ours"), rekey("child", "ours"), rekey("ike", "peer"), ping("peer"), deleteBy("ours")],
    peerSays: [/received fragment #[0-9]+ of [0-9]+/],
  },
];
