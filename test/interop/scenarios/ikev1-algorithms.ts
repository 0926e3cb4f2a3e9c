/** Every algorithm of the registry with a number in IKEv1, against strongSwan's userspace ESP: one at a time, tier `full`. */
import { allRows, keywordOf, type RowOf, type TransformKind } from "../../../crypto/registry/lookup.js";
import { lackOf } from "../peer-lacks.js";
import { ping, type Scenario, transfer } from "../scenario.js";

function rows<K extends TransformKind>(kind: K, phase: "phase1" | "phase2"): readonly RowOf<K>[] {
  return allRows().filter(
    (row): row is RowOf<K> =>
      row.kind === kind &&
      row.ids[phase] !== undefined &&
      lackOf("strongswan-userspace", phase === "phase1" ? "ike" : "esp", row) === undefined,
  );
}

function proposals(): readonly { readonly ike: string; readonly esp: string }[] {
  const plain = { ike: "aes128-sha256-modp2048", esp: "aes128-sha256" };
  const ciphers = rows("encryption", "phase1").flatMap((row) => row.keyBits.map((bits) => keywordOf(row, bits)));
  const hashes = rows("prf", "phase1").map((row) => keywordOf(row).replace(/^prf/, ""));
  const groups = rows("keyExchange", "phase1").map((row) => keywordOf(row));
  const esp = rows("encryption", "phase2").flatMap((row) =>
    row.keyBits.map((bits) => (row.aead ? keywordOf(row, bits) : `${keywordOf(row, bits)}-sha256`)),
  );
  const macs = rows("integrity", "phase2").map((row) => `aes128-${keywordOf(row)}`);
  const all = [
    ...ciphers.map((word) => ({ ...plain, ike: `${word}-sha256-modp2048` })),
    ...hashes.map((word) => ({ ...plain, ike: `aes128-${word}-modp2048` })),
    ...groups.map((word) => ({ ike: `aes128-sha256-${word}`, esp: `aes128-sha256-${word}` })),
    ...[...esp, ...macs].map((word) => ({ ...plain, esp: word })),
  ];
  // The plain one varies in everything.
  return [...new Map(all.map((proposal) => [`${proposal.ike} ${proposal.esp}`, proposal])).values()];
}

export const ikev1Algorithms: readonly Scenario[] = proposals().flatMap(({ ike, esp }) =>
  (["initiator", "responder"] as const).map(
    (role): Scenario => ({
      name: `IKEv1 ${role}, ${ike} and ${esp}`,
      tier: "full",
      peer: "strongswan-userspace",
      version: 1,
      role,
      ike,
      esp,
      ours: { legacy: true },
      encapsulation: "udp",
      steps: [ping("ours", 2), transfer("peer", 1)],
    }),
  ),
);
