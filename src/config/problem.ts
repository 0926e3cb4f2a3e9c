/** What is wrong with a configuration, and where. */
import { formatPath, isSecretPath, type ValuePath } from "./path.js";

/** Line and column count from 1, as editors do. */
export interface Position {
  /** Another one than the configuration file. */
  readonly file?: string;
  readonly line: number;
  readonly column: number;
}

/** Before the file's name is known to it: what the parts of this folder hand to each other. */
export interface Problem {
  readonly path: ValuePath;
  readonly position: Position;
  /** What was found and what is allowed, or what to do. */
  readonly message: string;
}

/** One mistake of the operator. `message` is the whole line that is printed: file, line, column, path, and what is wrong. */
export class ConfigError extends Error {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  /** The message without its place. */
  readonly detail: string;

  constructor(file: string, { path, position, message }: Problem) {
    const { line, column, file: other = file } = position;
    super(`${other}:${line}:${column}: ${formatPath(path)}: ${message}`);
    this.name = "ConfigError";
    this.file = other;
    this.line = line;
    this.column = column;
    this.path = formatPath(path);
    this.detail = message;
  }
}

/** "found 5x; allowed: …", with secrets left out; a sentence that quotes it already stands alone. */
export function foundInstead(path: ValuePath, value: unknown, allowed: string): string {
  const found = describe(path, value);
  return found.startsWith('"') && allowed.includes(found) ? allowed : `found ${found}; ${allowed}`;
}

const LONGEST_QUOTE = 60;

function describe(path: ValuePath, value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (isSecretPath(path)) return typeof value === "object" ? "a block" : "[secret]";
  if (typeof value === "object") {
    const keys = Object.keys(value);
    return keys.length === 0 ? "an empty block" : `a block with ${shorten(keys.join(", "))}`;
  }
  return typeof value === "string" ? `"${shorten(printable(value))}"` : String(value);
}

function shorten(text: string): string {
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text;
}

/** Control characters would move the operator's cursor. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) => `\\x${c.codePointAt(0)!.toString(16).padStart(2, "0")}`);
}
