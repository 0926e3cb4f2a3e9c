/** What a tunnel is configured with, attribute by attribute, in the words of logs and status. */
import { keywordOf } from "../../crypto/registry/lookup.js";
import type { PrfRow, TransformRow } from "../../crypto/registry/row.js";
import type { EncryptionChoice, EspSuite, IkeSuite } from "../../crypto/registry/suite.js";
import type { Path } from "../../esp/address.js";
import { formatSelector, type TrafficSelector } from "../../esp/selector.js";
import { AUTH_METHOD } from "../wire/payloads/auth.js";
import { derived } from "./derived.js";
import {
  type Attribute,
  type ComparedOffer,
  comparedRows,
  type Evidence,
  type Said,
  type SaidAll,
} from "./evidence.js";
import { formatIdentity, ourIdentity, theirIdentity } from "./identity.js";
import type { TunnelPolicy } from "./policy.js";

export const PRE_SHARED_KEY = "pre-shared key";

/** The attributes that an IKE SA's proposal is made of. */
const PHASE1_SUITE: ReadonlySet<Attribute> = new Set(["encryption", "hash", "prf", "integrity", "group"]);
const PHASE2_SUITE: ReadonlySet<Attribute> = new Set(["encryption", "integrity", "pfs", "esn"]);

/** Phase 1 of a tunnel beside what the peer has said. With `proposals` the algorithms stand there. */
export function phase1Evidence(
  policy: TunnelPolicy,
  path: Path,
  said: SaidAll,
  offer: ComparedOffer = NO_PROPOSALS,
): Evidence {
  const all = ourPhase1(policy, path).filter(
    ([attribute]) => offer.proposals.length === 0 || !PHASE1_SUITE.has(attribute),
  );
  return { phase: 1, rows: comparedRows(all, said), ...offer };
}

/** Phase 2 likewise. */
export function phase2Evidence(policy: TunnelPolicy, said: SaidAll, offer: ComparedOffer = NO_PROPOSALS): Evidence {
  const all = ourPhase2(policy).filter(([attribute]) => offer.proposals.length === 0 || !PHASE2_SUITE.has(attribute));
  return { phase: 2, rows: comparedRows(all, said), ...offer };
}

const NO_PROPOSALS = { proposals: [], more: 0 } as const;

function ourPhase1(policy: TunnelPolicy, path: Path): readonly (readonly [Attribute, readonly string[]])[] {
  const { version, exchange, lifetimeSeconds, volumeOctets } = policy.ike;
  const { encryption, prf, integrity, group } = ikeWords(policy.ike);
  return [
    ["version", [versionWords(version)]],
    ...(version === 1 ? ([["mode", [exchange ?? "main"]]] as const) : []),
    ["authentication", [PRE_SHARED_KEY]],
    ["encryption", encryption],
    ...(version === 1
      ? ([["hash", prf]] as const)
      : ([
          ["prf", prf],
          ["integrity", integrity],
        ] as const)),
    ["group", group],
    ["local-id", [formatIdentity(ourIdentity(policy, path))]],
    ["peer-id", [formatIdentity(theirIdentity(policy, path))]],
    ["psk", ["configured"]],
    ["lifetime", lifetimeWords(lifetimeSeconds, volumeOctets ?? 0)],
  ];
}

const ikeWords = derived(({ version, proposals }: TunnelPolicy["ike"]) => ({
  encryption: encryptionWords(proposals.flatMap(({ encryption }) => encryption)),
  prf: distinct(proposals.flatMap((one) => one.prf.map(version === 1 ? hashKeyword : word))),
  integrity: distinct(proposals.flatMap((one) => one.integrity.map(word))),
  group: distinct(proposals.flatMap((one) => one.keyExchange.map(word))),
}));

const ourPhase2 = derived(({ esp, mappings }: TunnelPolicy): readonly (readonly [Attribute, readonly string[]])[] => {
  const { proposals, lifetimeSeconds, volumeOctets } = esp;
  return [
    ["protocol", ["ESP"]],
    ["encapsulation", [TUNNEL_MODE]],
    ["encryption", encryptionWords(proposals.flatMap(({ encryption }) => encryption))],
    ["integrity", distinct(proposals.flatMap((one) => one.integrity.map(word)))],
    ["pfs", pfsWords(proposals)],
    ["esn", distinct(proposals.flatMap((one) => one.sequence.map(word)))],
    ["selectors", mappings.map(({ local, peer }) => selectorWords([local], [peer]))],
    ["lifetime", lifetimeWords(lifetimeSeconds, volumeOctets)],
  ];
});

export const TUNNEL_MODE = "tunnel";
export const TRANSPORT_MODE = "transport";

export function versionWords(version: 1 | 2): string {
  return `IKEv${version}`;
}

/** Our side first. */
export function selectorWords(local: readonly TrafficSelector[], peer: readonly TrafficSelector[]): string {
  const side = (selectors: readonly TrafficSelector[]) =>
    selectors.length === 0 ? "nothing" : listWords(selectors.map(formatSelector));
  return `${side(local)} <-> ${side(peer)}`;
}

function listWords(values: readonly string[]): string {
  return values.length > 8 ? `${values.slice(0, 8).join(", ")} and ${values.length - 8} more` : values.join(", ");
}

export function lifetimeWords(seconds: number | undefined, octets: number): readonly string[] {
  return [
    ...(seconds === undefined ? [] : [`${seconds} s`]),
    ...(octets === 0 ? [] : [`${Math.max(1, Math.floor(octets / 1024))} KiB`]),
  ];
}

/** What was agreed on for an IKE SA: these attributes are no cause of anything. */
export function agreedIke(policy: TunnelPolicy, suite: IkeSuite): SaidAll {
  const is = (value: string) => ({ theirs: [value], ours: [value] });
  return {
    version: "equal",
    mode: "equal",
    authentication: "equal",
    encryption: is(choiceWords({ row: suite.encryption, keyBits: suite.keyBits })),
    ...(policy.ike.version === 1 ? { hash: is(hashKeyword(suite.prf)) } : { prf: is(word(suite.prf)) }),
    integrity: suite.integrity === undefined ? { theirs: [], ours: [], verdict: "equal" } : is(word(suite.integrity)),
    group: is(word(suite.keyExchange)),
  };
}

/** Both sides have proved who they are. */
export const PROVEN: SaidAll = { "local-id": "equal", "peer-id": "equal", psk: "equal" };

/** As `agreedIke`, for a child. `pfs: false`: the child is made with the keys of its IKE SA, so that PFS did not count. */
export function agreedEsp(suite: EspSuite, { pfs }: { readonly pfs: boolean }): SaidAll {
  const is = (value: string) => ({ theirs: [value], ours: [value] });
  const none = { theirs: [], ours: [], verdict: "equal" } as const;
  return {
    protocol: "equal",
    encapsulation: "equal",
    encryption: is(choiceWords({ row: suite.encryption, keyBits: suite.keyBits })),
    integrity: suite.integrity === undefined ? none : is(word(suite.integrity)),
    ...(pfs && { pfs: suite.keyExchange === undefined ? none : is(word(suite.keyExchange)) }),
    esn: is(word(suite.sequence)),
  };
}

function pfsWords(proposals: TunnelPolicy["esp"]["proposals"]): readonly string[] {
  return distinct(
    proposals.flatMap(({ keyExchange }) => (keyExchange.length === 0 ? ["none"] : keyExchange.map(word))),
  );
}

function encryptionWords(choices: readonly EncryptionChoice[]): readonly string[] {
  return distinct(choices.map(choiceWords));
}

function choiceWords({ row, keyBits }: EncryptionChoice): string {
  return keywordOf(row, keyBits);
}

function word(row: TransformRow): string {
  return keywordOf(row);
}

/** IKEv1 negotiates the hash that its PRF is made of. */
export function hashKeyword(row: PrfRow): string {
  return keywordOf(row).replace(/^prf/, "");
}

function distinct(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

/** The parts of a suite that these proposals do not hold at all; a suite may also be none of theirs as a whole. */
export function notAllowed({ ike }: TunnelPolicy, suite: IkeSuite): SaidAll {
  const has = (found: boolean, value: string): Said =>
    found ? { theirs: [value], ours: [value] } : { theirs: [value] };
  const { proposals } = ike;
  const choice = { row: suite.encryption, keyBits: suite.keyBits };
  const encryption = choiceWords(choice);
  const prf = ike.version === 1 ? "hash" : "prf";
  return {
    encryption: has(encryptionWords(proposals.flatMap((one) => one.encryption)).includes(encryption), encryption),
    [prf]: has(
      proposals.some((one) => one.prf.includes(suite.prf)),
      ike.version === 1 ? hashKeyword(suite.prf) : word(suite.prf),
    ),
    ...(suite.integrity && {
      integrity: has(
        proposals.some((one) => one.integrity.includes(suite.integrity!)),
        word(suite.integrity),
      ),
    }),
    group: has(
      proposals.some((one) => one.keyExchange.includes(suite.keyExchange)),
      word(suite.keyExchange),
    ),
  };
}

/** Auth Method of IKEv2, in words. */
export function methodWords(method: number): string {
  const name = Object.keys(AUTH_METHOD).find((each) => AUTH_METHOD[each as keyof typeof AUTH_METHOD] === method);
  return name === "sharedKey"
    ? PRE_SHARED_KEY
    : name === undefined
      ? `method ${method}`
      : name.replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`);
}
