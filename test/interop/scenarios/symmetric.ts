/**
 * Every encryption, integrity and PRF of the registry that a peer has, in IKE and in ESP, with each key length, in both roles:
 * one algorithm at a time (tier `full`). Beside them a covering set (tier `ci`) that has each at least once. Made from the rows
 * of the registry, so a new one brings its scenarios along. They run as batches (`../batch.ts`). The groups stand in `groups.ts`.
 */
import { allRows, keywordOf, type RowOf, type TransformKind } from "../../../crypto/registry/lookup.js";
import type { EncryptionRow } from "../../../crypto/registry/row.js";
import { lackOf, type Usage } from "../peer-lacks.js";
import { type PeerKind, ping, type Scenario, transfer } from "../scenario.js";

interface Words {
  readonly ike: string;
  readonly esp: string;
}

const PLAIN: Words = { ike: "aes128-sha256-modp2048", esp: "aes128-sha256" };

/** One algorithm at a time; everything else is plain. */
export function eachSymmetric(peer: PeerKind, usages: readonly Usage[] = ["ike", "esp"]): readonly Scenario[] {
  const oneWord = hasOneWord(peer);
  const ike = [
    ...encryptions(peer, "ike").map(([row, word]) => `${word}-${row.aead ? "prfsha256" : "sha256"}-modp2048`),
    ...rows("integrity", peer, "ike").map((row) => `aes128-${keywordOf(row)}${oneWord ? "" : "-prfsha256"}-modp2048`),
    ...rows("prf", peer, "ike").map((row) => `${oneWord ? "aes128gcm16" : "aes128-sha256"}-${keywordOf(row)}-modp2048`),
  ];
  const esp = [
    ...encryptions(peer, "esp").map(([row, word]) => (row.aead ? word : `${word}-sha256`)),
    ...rows("integrity", peer, "esp").map((row) => `aes128-${keywordOf(row)}`),
  ];
  const words = [
    ...(usages.includes("ike") ? ike : []).map((each) => ({ ...PLAIN, ike: each })),
    ...(usages.includes("esp") ? esp : []).map((each) => ({ ...PLAIN, esp: each })),
  ];
  const distinct = [...new Map(words.map((each) => [`${each.ike} ${each.esp}`, each])).values()];
  return distinct.flatMap((each) =>
    (["initiator", "responder"] as const).map((role) => scenario(peer, each, role, "full")),
  );
}

/** As few as there can be: each scenario has the next algorithm of every type. */
export function coveringSymmetric(peer: PeerKind): readonly Scenario[] {
  const longest = (usage: Usage) =>
    rows("encryption", peer, usage).map((row) => [row, keywordOf(row, row.keyBits.at(-1))] as const);
  const [inIke, inEsp] = [longest("ike"), longest("esp")];
  const ciphers = inIke.filter(([row]) => !row.aead);
  const espCiphers = inEsp.filter(([row]) => !row.aead);
  const [ikeMacs, espMacs] = [rows("integrity", peer, "ike"), rows("integrity", peer, "esp")];
  const prfs = rows("prf", peer, "ike");
  const aeads = inIke.filter(([row]) => row.aead);
  const espAeads = inEsp.filter(([row]) => row.aead);
  const at = <T>(list: readonly T[], i: number): T => list[i % list.length]!;
  const macRounds = Math.max(ciphers.length, espCiphers.length, ikeMacs.length, espMacs.length);
  const aeadRounds = Math.max(aeads.length, espAeads.length);
  const rounds = Math.max(macRounds + aeadRounds, prfs.length);
  return Array.from({ length: rounds }, (_, i) => {
    const prf = keywordOf(at(prfs, i));
    const k = i - aeadRounds;
    const words =
      i < aeadRounds
        ? { ike: `${at(aeads, i)[1]}-${prf}-x25519`, esp: at(espAeads, i)[1] }
        : {
            ike: `${at(ciphers, k)[1]}-${keywordOf(at(ikeMacs, k))}${hasOneWord(peer) ? "" : `-${prf}`}-x25519`,
            esp: `${at(espCiphers, k)[1]}-${keywordOf(at(espMacs, k))}`,
          };
    return scenario(peer, words, i % 2 === 0 ? "initiator" : "responder", "ci");
  });
}

/** AES-GMAC, which charon's own ESP lacks, with the kernel's: each key length in both roles, the longest in tier `ci`. */
export const gmac: readonly Scenario[] = encryptions("strongswan-kernel", "esp")
  .filter(([row]) => row.keywords[0] === "aes*gmac")
  .flatMap(([row, esp], i) =>
    (["initiator", "responder"] as const).map((role): Scenario => {
      const tier = i === row.keyBits.length - 1 && role === "initiator" ? "ci" : "full";
      const steps = [transfer("ours", 1), transfer("peer", 1), ping("peer", 2)];
      return { ...scenario("strongswan-kernel", { ...PLAIN, esp }, role, tier), steps };
    }),
  );

/** pluto has one word for integrity and PRF: they come together there, and other PRFs beside AEADs alone. */
function hasOneWord(peer: PeerKind): boolean {
  return peer === "libreswan-kernel";
}

/** Each encryption with each of its key lengths. */
function encryptions(peer: PeerKind, usage: Usage): readonly (readonly [row: EncryptionRow, keyword: string])[] {
  return rows("encryption", peer, usage).flatMap((row) =>
    row.keyBits.map((keyBits): readonly [EncryptionRow, string] => [row, keywordOf(row, keyBits)]),
  );
}

function rows<K extends TransformKind>(kind: K, peer: PeerKind, usage: Usage): readonly RowOf<K>[] {
  return allRows().filter((row): row is RowOf<K> => row.kind === kind && lackOf(peer, usage, row) === undefined);
}

function scenario(peer: PeerKind, { ike, esp }: Words, role: Scenario["role"], tier: Scenario["tier"]): Scenario {
  return {
    name: `${role}, ${ike} and ${esp}`,
    tier,
    peer,
    role,
    ike,
    esp,
    ours: { legacy: true },
    encapsulation: peer === "strongswan-userspace" ? "udp" : "esp",
    steps: [],
  };
}
