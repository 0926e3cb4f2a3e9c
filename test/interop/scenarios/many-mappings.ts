/** Twenty mappings (two hundred in tier `full`), each with traffic: in one SA, and in one for each. */
import type { Grid } from "../grid.js";
import { echoEach, type PeerKind, rekey, type Scenario } from "../scenario.js";

const SMALL = { locals: 4, peers: 5 };
const LARGE = { locals: 10, peers: 20 };

function row(
  peer: PeerKind,
  role: Scenario["role"],
  size: typeof SMALL,
  tier: Scenario["tier"],
  how: Omit<Grid, "locals" | "peers"> & { readonly split?: string },
): Scenario {
  const { split, ...rest } = how;
  const grid = { ...size, ...rest };
  const has = how.peerHas === "one child" ? "one child for all" : "a child for each";
  return {
    name: `${role}, ${size.locals * size.peers} mappings, the peer has ${has}${split ? `, split: ${split}` : ""}: ${how.result}`,
    tier,
    peer,
    role,
    grid,
    ike: "aes256-sha256-modp2048",
    esp: "aes256gcm16",
    ours: { ...(split && { split }), ...(peer === "strongswan-kernel" && { esp: { esn: "off" } }) },
    encapsulation: peer === "strongswan-userspace" ? "udp" : "esp",
    steps: [
      echoEach("ours"),
      echoEach("peer"),
      ...(how.result === "one SA" ? [rekey("child", "ours"), rekey("child", "peer"), echoEach("ours")] : []),
    ],
  };
}

const ROLES = ["initiator", "responder"] as const;
const EACH = { peerHas: "a child for each", result: "an SA for each" } as const;
const JOINT = { peerHas: "one child", result: "one SA" } as const;

function rows(peer: PeerKind, small: Scenario["tier"]): readonly Scenario[] {
  return ROLES.flatMap((role) => [row(peer, role, SMALL, small, EACH), row(peer, role, LARGE, "full", EACH)]);
}

export const manyUserspace: readonly Scenario[] = [
  ...rows("strongswan-userspace", "ci"),
  ...ROLES.flatMap((role) => [
    row("strongswan-userspace", role, SMALL, "ci", JOINT),
    row("strongswan-userspace", role, LARGE, "full", JOINT),
  ]),
  row("strongswan-userspace", "initiator", SMALL, "full", {
    peerHas: "one child",
    result: "an SA for each",
    split: "always",
  }),
];

export const manyKernel: readonly Scenario[] = [
  ...rows("strongswan-kernel", "ci"),
  ...ROLES.map((role) => row("strongswan-kernel", role, LARGE, "full", JOINT)),
];

export const manyLibreswan: readonly Scenario[] = rows("libreswan-kernel", "ci");
