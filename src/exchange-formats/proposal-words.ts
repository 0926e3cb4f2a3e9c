/**
 * Proposals of other products' files. Words that we do not have are left out with a note, as the peer would pass over them when we
 * offer; a proposal that lacks a whole part because of that is left out as a whole.
 */
import { keywordOf, rowByKeyword } from "../../crypto/registry/lookup.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import { type Notes, quote } from "./notes.js";

/** The keywords of ours that one word stands for; undefined: none. */
export type ReadWord = (word: string, position: number) => readonly string[] | undefined;

/** Each proposal is a list of words; `parse` is `parseIkeProposal` or `parseEspProposal`. */
export function readProposals<P extends IkeProposal | EspProposal>(
  parse: (text: string) => P,
  written: readonly (readonly string[])[],
  read: ReadWord,
  line: number,
  notes: Notes,
): readonly P[] {
  const proposals: P[] = [];
  for (const words of written) {
    const keywords: string[] = [];
    for (const [position, word] of words.entries()) {
      const meant = read(word, position);
      if (meant === undefined) notes.add(line, `${quote(word)} is no algorithm that causeway has; it is left out`);
      else keywords.push(...meant);
    }
    try {
      proposals.push(parse([...new Set(keywords.map(canonical))].join("-")));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      notes.add(line, `the proposal ${quote(words.join("-"))} is left out: ${error.message}`);
    }
  }
  return proposals;
}

function canonical(keyword: string): string {
  const meaning = rowByKeyword(keyword);
  return meaning === undefined ? keyword : keywordOf(meaning.row, meaning.keyBits);
}
