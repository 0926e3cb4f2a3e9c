/** Everything that a probe may offer: the registry's rows that have a number in the version's space, those that are recommended first. */
import { allRows, type NumberSpace } from "../../crypto/registry/lookup.js";
import type { IntegrityRow, TransformRow } from "../../crypto/registry/row.js";
import type { EncryptionChoice } from "../../crypto/registry/suite.js";
import type { Catalogue } from "./questions.js";

const SPACES = { 1: "phase1", 2: "ikev2" } as const satisfies Record<1 | 2, NumberSpace>;

export function catalogueOf(version: 1 | 2): Catalogue {
  const space = SPACES[version];
  const rows = allRows().filter((row) => row.ids[space] !== undefined);
  const of = <Kind extends TransformRow["kind"]>(kind: Kind) =>
    rows.filter((row): row is Extract<TransformRow, { readonly kind: Kind }> => row.kind === kind).sort(better);
  const encryption = of("encryption")
    .filter(({ espOnly }) => !espOnly)
    .flatMap((row): EncryptionChoice[] => [...row.keyBits].sort((a, b) => b - a).map((keyBits) => ({ row, keyBits })));
  const prf = of("prf");
  const hashes = allRows().filter((row): row is IntegrityRow => row.kind === "integrity" && prf.includes(row.ownPrf));
  const aeads = encryption.filter(({ row }) => row.aead && row.level.ike !== "MAY");
  return {
    encryption:
      version === 1
        ? encryption.filter(({ row }) => !row.aead)
        : [...aeads, ...encryption.filter((choice) => !aeads.includes(choice))],
    // The hash of IKEv1 is written as the integrity that has the same one.
    integrity:
      version === 1 ? prf.flatMap((one) => hashes.find(({ ownPrf }) => ownPrf === one) ?? []) : of("integrity"),
    prf,
    groups: of("keyExchange"),
  };
}

/** By the level of RFC 8247 for IKE; the registry's order between equals. */
function better(a: TransformRow, b: TransformRow): number {
  return rank(a) - rank(b);
}

const RANKS = ["MUST", "SHOULD", "MAY", "SHOULD NOT", "MUST NOT"];

function rank(row: TransformRow): number {
  const at = RANKS.indexOf(row.level.ike.replace(/[+-]$/, ""));
  // Where no RFC gives one, it counts as SHOULD.
  return at < 0 ? RANKS.indexOf("SHOULD") : at;
}
