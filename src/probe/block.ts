/** What was learnt about a peer, as a tunnel of `gateway.yaml`. Pure. */
import { weaknessesOf } from "../../crypto/registry/level.js";
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import type { EspProposal } from "../../crypto/registry/suite.js";
import type { Accepted } from "../../ike/probe/questions.js";

export interface BlockWish {
  readonly name: string;
  readonly peer: string;
  readonly version: 1 | 2;
  readonly accepted: Accepted;
  /** Absent: the peer was not asked about them, and the defaults stand. */
  readonly esp?: { readonly proposals: readonly EspProposal[]; readonly pfs: readonly string[] };
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
  const { name, peer, version, accepted, esp, pskFile, localId, peerId, local, remote } = wish;
  const forbidden = [
    ...weaknessesOf(accepted.works, "ike"),
    ...(esp?.proposals ?? []).flatMap((proposal) => weaknessesOf(proposal, "esp")),
  ].some((weakness) => weakness.forbidden);
  const known = local !== undefined && remote !== undefined;
  const ike = [...(version === 1 ? ["version: 1"] : []), `proposals: [${proposalKeywords(accepted.works)}]`];
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
    ...(esp === undefined
      ? []
      : [
          `    esp: { proposals: [${esp.proposals.map(proposalKeywords).join(", ")}], pfs: ${esp.pfs.length === 0 ? "off" : `[${esp.pfs.join(", ")}]`} }`,
        ]),
  ];
  return `${lines.join("\n")}\n`;
}

/** YAML takes every JSON string. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
