/** What is offered here, in words. */
import { proposalKeywords } from "../../crypto/registry/proposal.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";

export function oursInWords(proposals: readonly (IkeProposal | EspProposal)[]): string {
  return `ours: ${proposals.map(proposalKeywords).join(", ")}`;
}
