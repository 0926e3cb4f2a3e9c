/**
 * Every group of the registry against strongSwan (userspace ESP), which has all of them: made from the rows, so that a new
 * row is met here at once. A group of IKE is proved by the handshake, a group of ESP by the rekey of the child (PFS).
 */
import { KEY_EXCHANGE_ROWS } from "../../../crypto/registry/key-exchange.js";
import type { KeyExchangeRow } from "../../../crypto/registry/row.js";
import { ping, rekey, type Scenario } from "../scenario.js";

const common = { peer: "strongswan-userspace", encapsulation: "udp" } as const;

/** In few tunnels: each group once, the one of a pair for IKE and the other for PFS, with the roles in turn. */
const covering: readonly Scenario[] = pairs(KEY_EXCHANGE_ROWS).map(([ike, esp], i) => {
  const role = i % 2 === 0 ? "initiator" : "responder";
  return {
    ...common,
    ...tunnel(role, ike, esp),
    tier: "ci",
    steps: [ping("ours", 2), rekey("child", role === "initiator" ? "ours" : "peer"), ping("peer", 2)],
  };
});

/** Each group for both purposes in both roles, and rekeys from both sides. */
const all: readonly Scenario[] = (["initiator", "responder"] as const).flatMap((role) =>
  KEY_EXCHANGE_ROWS.map((row) => ({
    ...common,
    ...tunnel(role, row, row),
    tier: "full",
    steps: [
      ping("ours", 2),
      rekey("child", "ours"),
      rekey("child", "peer"),
      rekey("ike", "ours"),
      rekey("ike", "peer"),
      ping("peer", 2),
    ],
  })),
);

export const groups: readonly Scenario[] = [...covering, ...all];

function tunnel(role: Scenario["role"], ike: KeyExchangeRow, esp: KeyExchangeRow) {
  const forbidden = [ike.level.ike, esp.level.esp].includes("MUST NOT");
  return {
    name: `${role}, ${ike.keywords[0]} for IKE and ${esp.keywords[0]} for PFS`,
    role,
    ike: `aes128-sha256-${ike.keywords[0]}`,
    esp: `aes128gcm16-${esp.keywords[0]}`,
    ...(forbidden ? { ours: { legacy: true } } : {}),
  };
}

/** The first with the last, the second with the last but one; of an odd number the middle one with itself. */
function pairs<T>(list: readonly T[]): (readonly [T, T])[] {
  return list.slice(0, Math.ceil(list.length / 2)).map((entry, i) => [entry, list[list.length - 1 - i]!] as const);
}
