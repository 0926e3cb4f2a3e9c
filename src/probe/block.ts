/** What was learnt about a peer, as a tunnel of `gateway.yaml`. Pure. */
import { weaknessesOf } from "../../crypto/registry/level.js";
import { keywordOf } from "../../crypto/registry/lookup.js";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import type { EspProposal } from "../../crypto/registry/suite.js";
import type { AcceptedChild } from "../../ike/probe/child-questions.js";
import type { Accepted } from "../../ike/probe/questions.js";

export interface BlockWish {
  readonly name: string;
  readonly peer: string;
  readonly version: 1 | 2;
  /** Of version 1. */
  readonly exchange?: "main" | "aggressive";
  readonly accepted: Accepted;
  /** Absent: the peer was not asked about them, and the defaults stand. */
  readonly children?: AcceptedChild;
  readonly pskFile?: string;
  readonly localId?: string;
  readonly peerId?: string;
  readonly local?: string;
  readonly remote?: string;
}

/** An example: what to put there nobody but the operator knows. */
const EXAMPLE = { local: "10.1.0.0/24", remote: "10.2.0.0/24" };

/** A configuration with this one tunnel, which `check` accepts. */
export function tunnelBlock(wish: BlockWish): string {
  const { name, peer, version, exchange, accepted, children, pskFile, localId, peerId, local, remote } = wish;
  const esp = children && espOf(children);
  const forbidden = [...weaknessesOf(accepted.works, "ike"), ...(esp ? weaknessesOf(esp, "esp") : [])].some(
    (weakness) => weakness.forbidden,
  );
  const known = local !== undefined && remote !== undefined;
  const ike = [
    ...(version === 1 ? ["version: 1"] : []),
    ...(exchange === "aggressive" ? ["exchange: aggressive"] : []),
    `proposals: [${proposalKeywords(accepted.works)}]`,
  ];
  const lines = [
    "version: 1",
    "tunnels:",
    `  - name: ${quoted(name)}`,
    `    peer: ${quoted(peer)}`,
    ...(localId === undefined ? [] : [`    local_id: ${quoted(localId)}`]),
    ...(peerId === undefined ? [] : [`    peer_id: ${quoted(peerId)}`]),
    `    psk: { file: ${quoted(pskFile ?? `/etc/causeway/${name}.psk`)} }`,
    ...(forbidden ? ["    legacy: true # the peer accepts nothing better"] : []),
    `    policies:${known ? "" : " # an example: your network, and the peer's"}`,
    `      - { local: [${quoted(local ?? EXAMPLE.local)}], peer: [${quoted(remote ?? EXAMPLE.remote)}] }`,
    `    ike: { ${ike.join(", ")} }`,
    ...(esp === undefined ? [] : [`    esp: { proposals: [${withoutGroup(esp)}], pfs: ${pfsWords(esp)} }`]),
  ];
  return `${lines.join("\n")}\n`;
}

/** What was seen to work, with both sizes of sequence numbers where the peer takes both. */
function espOf({ works, sequence }: AcceptedChild): EspProposal {
  const { encryption, keyBits, integrity, keyExchange } = works;
  return {
    encryption: [{ row: encryption, keyBits }],
    integrity: integrity ? [integrity] : [],
    keyExchange: keyExchange ? [keyExchange] : [],
    sequence: sequence.length > 1 ? sequence : [works.sequence],
  };
}

function withoutGroup(esp: EspProposal): string {
  return proposalKeywords({ ...esp, keyExchange: [] });
}

function pfsWords({ keyExchange }: EspProposal): string {
  return keyExchange.length === 0 ? "off" : `[${keyExchange.map((row) => keywordOf(row)).join(", ")}]`;
}

/** YAML takes every JSON string. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
