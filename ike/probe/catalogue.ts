/** Everything that a probe may offer: the registry's rows that have a number in the version's space, those that are recommended first. */
import type { Usage } from "../../crypto/registry/level.js";
import { allRows, type NumberSpace } from "../../crypto/registry/lookup.js";
import type { EncryptionRow, IntegrityRow, KeyExchangeRow, TransformRow } from "../../crypto/registry/row.js";
import { SEQUENCE_32, SEQUENCE_ESN } from "../../crypto/registry/sequence.js";
import type { EncryptionChoice } from "../../crypto/registry/suite.js";
import type { ChildCatalogue } from "./child-questions.js";
import type { Catalogue } from "./questions.js";

const SPACES = {
  ike: { 1: "phase1", 2: "ikev2" },
  esp: { 1: "phase2", 2: "ikev2" },
} as const satisfies Record<string, Record<1 | 2, NumberSpace>>;

export function catalogueOf(version: 1 | 2): Catalogue {
  const of = rowsFor("ike", version);
  const encryption = choicesOf(of("encryption").filter(({ espOnly }) => !espOnly));
  const prf = of("prf");
  const hashes = allRows().filter((row): row is IntegrityRow => row.kind === "integrity" && prf.includes(row.ownPrf));
  return {
    encryption: version === 1 ? encryption.filter(({ row }) => !row.aead) : aeadsFirst(encryption, "ike"),
    // The hash of IKEv1 is written as the integrity that has the same one.
    integrity:
      version === 1 ? prf.flatMap((one) => hashes.find(({ ownPrf }) => ownPrf === one) ?? []) : of("integrity"),
    prf,
    groups: of("keyExchange"),
  };
}

/** For child SAs. Groups that the IKE SA has go first: they cost a peer that takes them no second exchange. */
export function childCatalogueOf(version: 1 | 2, preferred: readonly KeyExchangeRow[]): ChildCatalogue {
  const of = rowsFor("esp", version);
  const groups = of("keyExchange");
  return {
    // What encrypts nothing comes last, whatever its level is.
    encryption: [
      ...aeadsFirst(choicesOf(of("encryption").filter(({ espOnly }) => !espOnly)), "esp"),
      ...choicesOf(of("encryption").filter(({ espOnly }) => espOnly)),
    ],
    integrity: of("integrity"),
    groups: [...new Set([...groups.filter((row) => preferred.includes(row)), ...groups]), undefined],
    sequence: [SEQUENCE_ESN, SEQUENCE_32],
  };
}

/** The rows of each kind that have a number in the version's space, by their level for that use; the registry's order between equals. */
function rowsFor(use: Usage, version: 1 | 2) {
  const rows = allRows().filter((row) => row.ids[SPACES[use][version]] !== undefined);
  return <Kind extends TransformRow["kind"]>(kind: Kind) =>
    rows
      .filter((row): row is Extract<TransformRow, { readonly kind: Kind }> => row.kind === kind)
      .sort((a, b) => rank(a, use) - rank(b, use));
}

function choicesOf(rows: readonly EncryptionRow[]): EncryptionChoice[] {
  return rows.flatMap((row) => [...row.keyBits].sort((a, b) => b - a).map((keyBits) => ({ row, keyBits })));
}

/** Those that are more than allowed. */
function aeadsFirst(all: readonly EncryptionChoice[], use: Usage): readonly EncryptionChoice[] {
  const aeads = all.filter(({ row }) => row.aead && row.level[use] !== "MAY");
  return [...aeads, ...all.filter((choice) => !aeads.includes(choice))];
}

const RANKS = ["MUST", "SHOULD", "MAY", "SHOULD NOT", "MUST NOT"];

function rank({ level }: TransformRow, use: Usage): number {
  const at = RANKS.indexOf(level[use].replace(/[+-]$/, ""));
  // Where no RFC gives one, it counts as SHOULD.
  return at < 0 ? RANKS.indexOf("SHOULD") : at;
}
