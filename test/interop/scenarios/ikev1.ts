/**
 * IKEv1, in both roles, main and aggressive mode, with the proposals that its users have. The whole table is tier `full`; a
 * covering set of it is `ci`: each suite, mode, role and peer, and each way in which a key can be wrong.
 */
import {
  deleteBy,
  outlive,
  type PeerKind,
  ping,
  reconnect,
  rekey,
  remap,
  type Scenario,
  type Step,
  transfer,
} from "../scenario.js";

type Role = Scenario["role"];
type Exchange = NonNullable<Scenario["exchange"]>;
type Suite = readonly [ike: string, esp: string];

/** What cloud gateways offer when nobody says anything. */
const CLOUD: Suite = ["3des-md5-modp768", "3des-md5"];
const DES: Suite = ["des-sha1-modp1024", "des-sha1"];
const AES_SHA1: Suite = ["aes128-sha1-modp1536", "aes128-sha1-modp1536"];
const AES_SHA256: Suite = ["aes256-sha256-modp2048", "aes256-sha256-modp2048"];
const AES_SHA512: Suite = ["aes256-sha512-modp2048s256", "aes256-sha512"];
const STRONGSWAN = [CLOUD, DES, AES_SHA1, AES_SHA256, AES_SHA512];
/** libreswan 4.10 has neither DES nor groups below 1536 bits nor those of RFC 5114. */
const LIBRESWAN: readonly Suite[] = [
  ["3des-md5-modp1536", "3des-md5"],
  ["aes128-sha1-modp1536", "aes128-sha1"],
  ["aes256-sha256-modp2048", "aes256-sha256-modp2048"],
];

const ROLES: readonly Role[] = ["initiator", "responder"];
const EXCHANGES: readonly Exchange[] = ["main", "aggressive"];

/** Traffic, a rekey of each phase from each side, a delete, and the tunnel again. */
function life(role: Role): readonly Step[] {
  const [first, second] = role === "initiator" ? (["ours", "peer"] as const) : (["peer", "ours"] as const);
  return [
    ping(first, 3),
    ping(second, 3),
    transfer("ours", 4),
    transfer("peer", 4),
    rekey("child", first),
    rekey("child", second),
    rekey("ike", first),
    rekey("ike", second),
    rekey("child", first),
    deleteBy(first),
    reconnect(first),
    ping(second, 3),
  ];
}

function common(peer: PeerKind) {
  return {
    peer,
    version: 1,
    ours: { legacy: true },
    encapsulation: peer === "strongswan-userspace" ? "udp" : "esp",
  } as const;
}

/** Every suite in both modes and roles; those that `covering` names belong to `npm test`. */
function table(
  peer: PeerKind,
  suites: readonly Suite[],
  covering: readonly (readonly [Role, Exchange, Suite])[],
): readonly Scenario[] {
  return ROLES.flatMap((role) =>
    EXCHANGES.flatMap((exchange) =>
      suites.map((suite): Scenario => {
        const [ike, esp] = suite;
        const isCovering = covering.some((each) => each[0] === role && each[1] === exchange && each[2] === suite);
        return {
          ...common(peer),
          name: `IKEv1 ${role}, ${exchange} mode, ${ike} and ${esp}`,
          tier: isCovering ? "ci" : "full",
          role,
          exchange,
          ike,
          esp,
          // libreswan 4.10 "cannot force rekey of IKEv1 connection": its own rekeys come with the short lifetimes.
          steps: life(role).filter(
            (step) => !(peer === "libreswan-kernel" && step.do === "rekey" && step.by === "peer"),
          ),
        };
      }),
    ),
  );
}

function wrongKeys(peer: PeerKind, covering: readonly (readonly [Role, Exchange])[]): readonly Scenario[] {
  return ROLES.flatMap((role) =>
    EXCHANGES.map(
      (exchange): Scenario => ({
        ...common(peer),
        name: `IKEv1 ${role} with a wrong pre-shared key, ${exchange} mode`,
        tier: covering.some((each) => each[0] === role && each[1] === exchange) ? "ci" : "full",
        role,
        exchange,
        ike: "aes128-sha1-modp1536",
        esp: "aes128-sha1",
        wrongPsk: true,
        steps: [],
      }),
    ),
  );
}

/** The lifetimes of both phases run out again and again under echo requests. */
function shortLives(peer: PeerKind, covering: readonly (readonly [Role, Exchange])[]): readonly Scenario[] {
  return ROLES.flatMap((role) =>
    EXCHANGES.map((exchange): Scenario => {
      const isCovering = covering.some((each) => each[0] === role && each[1] === exchange);
      return {
        ...common(peer),
        name: `IKEv1 ${role}, ${exchange} mode, short lifetimes of both phases`,
        tier: isCovering ? "ci" : "full",
        role,
        exchange,
        lifetimes: { ike: 24, esp: 14 },
        ike: "aes128-sha256-modp2048",
        esp: "aes128-sha256",
        steps: [isCovering ? outlive(26, 2, 1) : outlive(60, 6, 3), transfer("peer", 4), ping("ours", 2)],
      };
    }),
  );
}

/** Parts of both networks, each pair by a quick mode of its own. */
function mappings(peer: PeerKind, tier: Scenario["tier"]): readonly Scenario[] {
  return ROLES.map((role) => ({
    ...common(peer),
    name: `IKEv1 ${role}, three mappings`,
    tier,
    role,
    mappings: 3 as const,
    ike: "aes128-sha1-modp1024",
    esp: "aes128-sha1-modp1024",
    steps: [ping("ours", 2), ping("peer", 2), rekey("child", "ours"), rekey("ike", "peer"), ping("ours", 2)],
  }));
}

/** Addresses as identities, which is what RFC 2409 section 5.4 has in mind for main mode; the other rows have names. */
function addresses(peer: PeerKind, role: Role): Scenario {
  return {
    ...common(peer),
    name: `IKEv1 ${role}, addresses as identities`,
    tier: "full",
    role,
    ids: "address",
    ike: "aes256-sha256-modp2048",
    esp: "aes256gcm16",
    steps: [ping("ours", 2), transfer("ours", 4), rekey("child", "ours"), rekey("ike", "ours"), ping("peer", 2)],
  };
}

export const ikev1Userspace: readonly Scenario[] = [
  ...table("strongswan-userspace", STRONGSWAN, [
    ["initiator", "main", CLOUD],
    ["responder", "aggressive", DES],
    ["initiator", "aggressive", AES_SHA512],
  ]),
  ...wrongKeys("strongswan-userspace", [
    ["initiator", "main"],
    ["responder", "main"],
    ["initiator", "aggressive"],
    ["responder", "aggressive"],
  ]),
  ...mappings("strongswan-userspace", "ci").map((row) =>
    row.role === "responder" ? row : { ...row, tier: "full" as const },
  ),
  ...shortLives("strongswan-userspace", []),
  addresses("strongswan-userspace", "initiator"),
];

export const ikev1Kernel: readonly Scenario[] = [
  ...table("strongswan-kernel", STRONGSWAN, [["responder", "main", AES_SHA1]]),
  ...wrongKeys("strongswan-kernel", []),
  ...mappings("strongswan-kernel", "full"),
  ...shortLives("strongswan-kernel", [["initiator", "main"]]),
  addresses("strongswan-kernel", "responder"),
  {
    ...common("strongswan-kernel"),
    name: "IKEv1 initiator, extended sequence numbers",
    tier: "full",
    role: "initiator",
    ike: "aes128-sha256-modp2048",
    esp: "aes128-sha256-esn",
    steps: [ping("ours", 2), transfer("ours", 4), rekey("child", "peer"), ping("peer", 2)],
  },
];

export const ikev1Libreswan: readonly Scenario[] = [
  ...table("libreswan-kernel", LIBRESWAN, [
    ["initiator", "main", LIBRESWAN[2]!],
    ["responder", "aggressive", LIBRESWAN[0]!],
  ]),
  ...wrongKeys("libreswan-kernel", []),
  ...shortLives("libreswan-kernel", []),
  addresses("libreswan-kernel", "initiator"),
];

/** RFC 3947, with a router that translates address and port of the side behind it. */
function behindNat(
  peer: PeerKind,
  role: Role,
  exchange: Exchange,
  who: NonNullable<Scenario["behindNat"]>,
  tier: Scenario["tier"],
): Scenario {
  const follows = peer === "strongswan-kernel" || who === "peer";
  return {
    ...common(peer),
    encapsulation: "udp",
    name: `IKEv1 ${role}, ${exchange} mode, ${who === "ours" ? "we are" : "the peer is"} behind the translation`,
    tier,
    role,
    exchange,
    behindNat: who,
    ike: "aes128-sha1-modp1536",
    esp: "aes128-sha1",
    steps: [
      ping("ours", 2),
      transfer("ours", 4),
      rekey("child", "ours"),
      rekey("ike", "peer"),
      ...(follows ? [remap(who), transfer("peer", 4)] : []),
      ping("peer", 2),
    ],
  };
}

export const ikev1NatUserspace: readonly Scenario[] = EXCHANGES.flatMap((exchange) => [
  behindNat("strongswan-userspace", "initiator", exchange, "ours", exchange === "main" ? "ci" : "full"),
  behindNat("strongswan-userspace", "responder", exchange, "peer", exchange === "aggressive" ? "ci" : "full"),
]);

export const ikev1NatKernel: readonly Scenario[] = EXCHANGES.flatMap((exchange) => [
  behindNat("strongswan-kernel", "initiator", exchange, "ours", "full"),
  behindNat("strongswan-kernel", "responder", exchange, "peer", "full"),
]);
