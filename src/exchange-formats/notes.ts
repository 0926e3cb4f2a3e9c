/** What a reader of another product's file could not take over, with the line. */

export interface Note {
  /** 0: of no line of this file. */
  readonly line: number;
  /** A sentence; what it quotes of the file is never a secret. */
  readonly message: string;
}

export interface Notes {
  add(line: number, message: string): void;
  list(): readonly Note[];
}

/** A hostile file could make a note for each of its lines. */
const MOST_NOTES = 200;

export function collectNotes(): Notes {
  const notes = new Map<string, Note>();
  let more = 0;
  return {
    add(line, words) {
      const message = harmless(words);
      const key = `${line} ${message}`;
      if (notes.has(key)) return;
      if (notes.size < MOST_NOTES) notes.set(key, { line, message });
      else more++;
    },
    list() {
      const sorted = [...notes.values()].sort((a, b) => a.line - b.line);
      return more === 0
        ? sorted
        : [...sorted, { line: sorted.at(-1)!.line, message: `${more} more notes are not shown` }];
    },
  };
}

/** The file as a whole cannot be read: what is wrong, and in which line. */
export class UnreadableFile extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(harmless(message));
    this.name = "UnreadableFile";
    this.line = line;
  }
}

const LONGEST_QUOTE = 60;

/** Text of the file for a sentence: bounded. */
export function quote(text: string): string {
  return `"${text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text}"`;
}

/** A key of a file that is left out, with its value where that cannot be a secret. */
export function quoteSetting(key: string, value: string): string {
  return /pass|secret|psk|pin/i.test(key) ? key : `${key} = ${quote(value)}`;
}

/** Nothing in it moves a cursor or turns the direction of writing. */
function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
}
