/**
 * Every encryption, integrity and PRF of the registry that strongSwan 5.9.8 has, against its userspace ESP: in IKE and in ESP,
 * in both roles (tier `full`), and a covering set (tier `ci`) that touches each of them at least once. A new row brings its
 * scenarios along. The groups stand in `groups.ts`.
 */
import { allRows, keywordOf, type RowOf, type TransformKind } from "../../../crypto/registry/lookup.js";
import type { EncryptionRow } from "../../../crypto/registry/row.js";
import { ping, type Scenario, transfer } from "../scenario.js";

/** What this peer lacks, and why. */
const LACKING: Readonly<Record<"ike" | "esp", ReadonlySet<string>>> = {
  ike: new Set([
    "null", // RFC 7296 section 5: no encryption is not for IKE
    "aes*gmac", // likewise
  ]),
  esp: new Set([
    "aes*gmac", // its userspace ESP has no crypter for it
  ]),
};

interface Words {
  readonly ike: string;
  readonly esp: string;
}

const PLAIN: Words = { ike: "aes128-sha256-modp2048", esp: "aes128-sha256" };

/** Each encryption with each of its key lengths. */
function encryptions(usage: "ike" | "esp"): readonly (readonly [row: EncryptionRow, keyword: string])[] {
  return rows("encryption", usage).flatMap((row) =>
    row.keyBits.map((keyBits): readonly [EncryptionRow, string] => [row, keywordOf(row, keyBits)]),
  );
}

function rows<K extends TransformKind>(kind: K, usage: "ike" | "esp"): readonly RowOf<K>[] {
  return allRows().filter(
    (row): row is RowOf<K> =>
      row.kind === kind && row.ids.ikev2 !== undefined && !LACKING[usage].has(row.keywords[0] ?? ""),
  );
}

/** One algorithm at a time; everything else is plain. */
function alone(): readonly Words[] {
  const ike = [
    ...encryptions("ike").map(([row, word]) => `${word}-${row.aead ? "prfsha256" : "sha256"}-modp2048`),
    ...rows("integrity", "ike").map((row) => `aes128-${keywordOf(row)}-prfsha256-modp2048`),
    ...rows("prf", "ike").map((row) => `aes128-sha256-${keywordOf(row)}-modp2048`),
  ];
  const esp = [
    ...encryptions("esp").map(([row, word]) => (row.aead ? word : `${word}-sha256`)),
    ...rows("integrity", "esp").map((row) => `aes128-${keywordOf(row)}`),
  ];
  const words = [...ike.map((each) => ({ ...PLAIN, ike: each })), ...esp.map((each) => ({ ...PLAIN, esp: each }))];
  return [...new Map(words.map((each) => [`${each.ike} ${each.esp}`, each])).values()];
}

/** As few as there can be: each scenario has the next algorithm of every type. */
function covering(): readonly Words[] {
  const longest = (usage: "ike" | "esp") =>
    rows("encryption", usage).map((row) => [row, keywordOf(row, row.keyBits.at(-1))] as const);
  const [inIke, inEsp] = [longest("ike"), longest("esp")];
  const ciphers = inIke.filter(([row]) => !row.aead);
  const espCiphers = inEsp.filter(([row]) => !row.aead);
  const [ikeMacs, espMacs] = [rows("integrity", "ike"), rows("integrity", "esp")];
  const prfs = rows("prf", "ike");
  const aeads = inIke.filter(([row]) => row.aead);
  const espAeads = inEsp.filter(([row]) => row.aead);
  const at = <T>(list: readonly T[], i: number): T => list[i % list.length]!;
  const macRounds = Math.max(ciphers.length, espCiphers.length, ikeMacs.length, espMacs.length);
  const aeadRounds = Math.max(aeads.length, espAeads.length);
  const rounds = Math.max(macRounds + aeadRounds, prfs.length);
  return Array.from({ length: rounds }, (_, i) => {
    const end = `${keywordOf(at(prfs, i))}-x25519`;
    if (i < aeadRounds) return { ike: `${at(aeads, i)[1]}-${end}`, esp: at(espAeads, i)[1] };
    const k = i - aeadRounds;
    return {
      ike: `${at(ciphers, k)[1]}-${keywordOf(at(ikeMacs, k))}-${end}`,
      esp: `${at(espCiphers, k)[1]}-${keywordOf(at(espMacs, k))}`,
    };
  });
}

function scenario({ ike, esp }: Words, role: Scenario["role"], tier: Scenario["tier"]): Scenario {
  return {
    name: `${role}, ${ike} and ${esp}`,
    tier,
    peer: "strongswan-userspace",
    role,
    ike,
    esp,
    ours: { legacy: true },
    encapsulation: "udp",
    steps: [transfer("ours", 1), transfer("peer", 1), ping("ours", 2)],
  };
}

export const symmetric: readonly Scenario[] = [
  ...covering().map((words, i) => scenario(words, i % 2 === 0 ? "initiator" : "responder", "ci")),
  ...alone().flatMap((words) => [scenario(words, "initiator", "full"), scenario(words, "responder", "full")]),
];
