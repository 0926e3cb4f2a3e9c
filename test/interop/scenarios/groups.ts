/**
 * Every group of the registry that a peer has: made from the rows, so that a new row is met here at once. A group of IKE is
 * proved by the handshake, a group of ESP by the rekey of the child (PFS). They run as batches (`../batch.ts`).
 */
import { KEY_EXCHANGE_ROWS } from "../../../crypto/registry/key-exchange.js";
import type { KeyExchangeRow } from "../../../crypto/registry/row.js";
import { lackOf } from "../peer-lacks.js";
import { type PeerKind, rekey, type Scenario } from "../scenario.js";

/** In few tunnels: each group once, the one of a pair for IKE and the other for PFS, with the roles in turn. */
export function coveringGroups(peer: PeerKind): readonly Scenario[] {
  return pairs(groupsOf(peer)).map(([ike, esp], i) => {
    const role = i % 2 === 0 ? "initiator" : "responder";
    return {
      ...tunnel(peer, role, ike, esp),
      tier: "ci",
      steps: [rekey("child", role === "initiator" ? "ours" : "peer")],
    };
  });
}

/** Each group for both purposes in both roles, and rekeys from both sides. */
export function eachGroup(peer: PeerKind): readonly Scenario[] {
  return (["initiator", "responder"] as const).flatMap((role) =>
    groupsOf(peer).map((row) => ({
      ...tunnel(peer, role, row, row),
      tier: "full",
      steps: [rekey("child", "ours"), rekey("child", "peer"), rekey("ike", "ours"), rekey("ike", "peer")],
    })),
  );
}

/** No peer has a group for one of both purposes alone. */
function groupsOf(peer: PeerKind): readonly KeyExchangeRow[] {
  return KEY_EXCHANGE_ROWS.filter((row) => lackOf(peer, "ike", row) === undefined);
}

function tunnel(peer: PeerKind, role: Scenario["role"], ike: KeyExchangeRow, esp: KeyExchangeRow) {
  const forbidden = [ike.level.ike, esp.level.esp].includes("MUST NOT");
  return {
    name: `${role}, ${ike.keywords[0]} for IKE and ${esp.keywords[0]} for PFS`,
    peer,
    encapsulation: peer === "strongswan-userspace" ? "udp" : "esp",
    role,
    ike: `aes128-sha256-${ike.keywords[0]}`,
    esp: `aes128gcm16-${esp.keywords[0]}`,
    ...(forbidden ? { ours: { legacy: true } } : {}),
  } as const;
}

/** The first with the last, the second with the last but one; of an odd number the middle one with itself. */
function pairs<T>(list: readonly T[]): (readonly [T, T])[] {
  return list.slice(0, Math.ceil(list.length / 2)).map((entry, i) => [entry, list[list.length - 1 - i]!] as const);
}
