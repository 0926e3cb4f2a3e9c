/** docs/algorithms.md: every algorithm with its words, numbers, lengths, level and proof, as the registry has them. */
import { backendsOf } from "../../crypto/backends.js";
import { allRows, type TransformKind } from "../../crypto/registry/lookup.js";
import type { Numbering } from "../../crypto/registry/numbering.js";
import { NUMBERING_PROFILES } from "../../crypto/registry/numbering-profiles.js";
import type { TransformRow } from "../../crypto/registry/row.js";

const TITLES: readonly (readonly [TransformKind, string])[] = [
  ["encryption", "Encryption"],
  ["integrity", "Integrity"],
  ["prf", "PRF"],
  ["keyExchange", "Key exchange"],
  ["sequence", "Sequence numbers"],
];

const INTRODUCTION = `# Algorithms

Written by \`npm run algorithms\` from the registry (\`crypto/registry/\`); do not edit.

Keywords are those of \`ike.proposals\`, \`esp.proposals\` and \`esp.pfs\`; \`*\` stands for the key length in bits. The numbers are
those of IKEv2, of IKEv1 phase 1 and of IKEv1 phase 2; "–" means that the algorithm has no number there. The levels are those
of RFC 8247 (IKE) and RFC 8221 (ESP). What is MUST NOT needs \`legacy: true\` in the tunnel; SHOULD NOT, MUST- and MAY earn a
warning of \`causeway check\`; "none" counts as SHOULD. The backends stand in order of speed; the start-up test of each host
takes the first that gives the known answer. \`openssl\` and \`node\` are one library; \`portable\` is independent of it, and carries every
algorithm where that library lacks or forbids it (ENCR_NULL alone is the same everywhere: there is nothing to compute). \`node\` has
neither GCM nor CCM for SM4. \`causeway vectors\` runs the vectors.
`;

const PROFILES_INTRODUCTION = `## Numbering profiles

SM4 and SM3 have no IANA numbers, and products disagree. \`numbering\`, in \`gateway\` or in a tunnel, names a profile or holds a
table of its own. Inside a profile its numbers come before IANA's; an algorithm whose IANA number it takes is refused in a
proposal, and left out of the default proposals. Everything here is experimental until it has met a real peer of the product.

- \`private\` (default): private-use numbers of ours.
- \`gmalg\`: the gmalg forks of strongSwan. Its numbers 28 to 31 lie over ChaCha20-Poly1305 and the implicit-IV AEADs, PRF 8 over
  AES-CMAC, integrity 14 over HMAC-SHA2-512, group 32 over Curve448.
- \`gmt0022\`: GM/T 0022-2023, which is like IKEv1 and has no IKEv2; refused for tunnels that speak IKEv2.

A table maps keywords of encryption, integrity and PRF to numbers; what a keyword leaves out it has not. A peer's transforms
that no row fits are logged in decimal and hex, so that a table can be written from the log:

\`\`\`yaml
numbering:
  sm4: { ikev2: 1031, phase1: 65001, phase2: 249, key_length_attribute: false }
  sm3: { ikev2: 1031, phase2: 61441, icv: 16 }   # icv: octets of the ICV
  prfsm3: { ikev2: 1031, phase1: 65001 }         # phase1: the hash
\`\`\`

As responder the peer's tunnel is known only after IKE_SA_INIT: its proposals are read by the numbering of each tunnel that its
address fits, in the order of the file.
`;

export function algorithmsDocument(): string {
  const sections = TITLES.map(([kind, title]) => `## ${title}\n\n${kindTable(kind)}`);
  return [INTRODUCTION, ...sections, PROFILES_INTRODUCTION, profileTable()].join("\n");
}

function kindTable(kind: TransformKind): string {
  return markdown([
    ["Name", "Keywords", "IKEv2", "Phase 1", "Phase 2", "Lengths", "IKE", "ESP", "RFC", "Backends", "Vectors"],
    ...allRows()
      .filter((row) => row.kind === kind)
      .map((row) => [
        row.name,
        row.keywords.map((word) => `\`${word}\``).join(" "),
        ...[row.ids.ikev2, row.ids.phase1, row.ids.phase2].map(number),
        lengths(row),
        row.level.ike,
        row.level.esp,
        row.rfc,
        row.kind === "sequence" ? "–" : backendsOf(row).join(", "),
        typeof row.vectors === "string" ? `\`${row.vectors}\`` : `cross-checked: ${row.vectors.crossChecked}`,
      ]),
  ]);
}

function lengths(row: TransformRow): string {
  switch (row.kind) {
    case "encryption":
      return [
        `key ${row.keyBits.join("/")} bits${row.keyLengthAttribute ? ", sent" : ""}`,
        ...(row.saltBytes > 0 ? [`salt ${row.saltBytes}`] : []),
        `IV ${row.ivBytes}`,
        ...(row.icvBytes > 0 ? [`ICV ${row.icvBytes}`] : []),
      ].join(", ");
    case "integrity":
      return `key ${row.keyBytes}, ICV ${row.icvBytes}`;
    case "prf":
      return `key ${row.keyBytes}, output ${row.outputBytes}`;
    case "keyExchange":
      return `public ${row.publicBytes}, ${row.securityBits} bits strong`;
    case "sequence":
      return row.extended ? "64 bits" : "32 bits";
  }
}

function profileTable(): string {
  return markdown([
    ["Profile", "Keyword", "IKEv2", "Phase 1", "Phase 2", "Key Length attribute", "ICV"],
    ...Object.values(NUMBERING_PROFILES).flatMap(profileLines),
  ]);
}

function profileLines({ name, numbers, foreign }: Numbering): string[][] {
  const own = Object.entries(numbers)
    .filter(([, { ikev2, phase1, phase2 }]) => (ikev2 ?? phase1 ?? phase2) !== undefined)
    .map(([word, { ikev2, phase1, phase2, keyLengthAttribute, icvBytes }]) => [
      `\`${name}\``,
      `\`${word}\``,
      ...[ikev2, phase1, phase2].map(number),
      keyLengthAttribute === undefined ? "–" : keyLengthAttribute ? "sent" : "not sent",
      number(icvBytes),
    ]);
  const others = foreign.map(({ name: other, space, id }) => [
    `\`${name}\``,
    `(${other})`,
    ...(["ikev2", "phase1", "phase2"] as const).map((each) => number(each === space ? id : undefined)),
    "–",
    "–",
  ]);
  return [...own, ...others];
}

function number(value: number | undefined): string {
  return value === undefined ? "–" : String(value);
}

function markdown(rows: readonly (readonly string[])[]): string {
  const [head, ...body] = rows.map((cells) => `| ${cells.join(" | ")} |\n`);
  return [head, `|${rows[0]!.map(() => "---").join("|")}|\n`, ...body].join("");
}
