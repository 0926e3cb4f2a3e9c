/** What an operator can do about a failure, by its stable code. */
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";

const ADVICE: Readonly<Record<string, string>> = {
  NO_PROPOSAL_CHOSEN:
    "make one proposal equal on both sides: encryption, integrity, PRF and group for IKE, and encryption, integrity and PFS for ESP",
  PFS_MISMATCH:
    "make `esp.pfs` here and the peer's PFS the same: the same groups, or off on both sides; until then a new IKE SA takes over before each child ends",
  INVALID_KE_PAYLOAD: "put the group that the peer wants into the proposals here, or one of ours into the peer's",
  AUTHENTICATION_FAILED:
    "compare the pre-shared key and both identities (local_id, peer_id) with the peer's, character by character",
  TS_UNACCEPTABLE: "the peer's networks must mirror ours: our `local` is its remote, our `peer` is its local",
  SINGLE_PAIR_REQUIRED: "the peer wants one pair of addresses for each child; write narrower policies",
  NO_ADDITIONAL_SAS: "the peer wants no further child in this IKE SA; look for a limit in its configuration",
  INVALID_SYNTAX: "one side misreads the other; note both versions and report it with a capture",
  UNSUPPORTED_CRITICAL_PAYLOAD: "the peer insists on an extension that the other side does not know; turn it off there",
  TIMEOUT:
    "check that the peer runs, that its address is right, and that no firewall drops UDP 500 and 4500 on the way",
  PSK: "look at the tunnel's `psk`: the file or the environment variable could not be read",
  DATAPLANE_REFUSED:
    "read the reason; `causeway vectors` shows what this host's crypto can do, `ip address` its addresses",
  UNACCEPTABLE_ADDRESSES:
    "the peer allows no such address of ours; look at its list of allowed peers, or turn `ike.mobike` off",
  UNEXPECTED_NAT_DETECTED: "the peer allows no NAT between us, and there is one; allow it there, or take it away",
  REDIRECT: "the gateways send us round in a circle; look at their redirect settings",
  RESOLVE: "check the peer's name and this host's resolver and routes",
};

export function adviceFor(code: string): string {
  return ADVICE[code] ?? "look into the peer's log for the same moment";
}

export function oursInWords(proposals: readonly (IkeProposal | EspProposal)[]): string {
  return `ours: ${proposals.map(proposalKeywords).join(", ")}`;
}
