/** What every writer of a product's file is given, and gives. */
import type { CompleteConnection } from "./connection.js";

export interface ExportOptions {
  /** The key itself is written; else a placeholder. */
  readonly withSecrets: boolean;
  /** Alternatives that the product lacks are left out, where others remain. */
  readonly reduce: boolean;
}

export interface ExportedFile {
  /** As the product calls it. */
  readonly name: string;
  readonly text: string;
}

export interface Exported {
  readonly files: readonly ExportedFile[];
  /** What the operator has to know or to do, each a sentence; the files say it, too. */
  readonly remarks: readonly string[];
}

/** `connection` is the peer's side. Throws `Lacks` for what the product cannot be told. */
export type Writer = (connection: CompleteConnection, options: ExportOptions) => Exported;

/** `#` in front of every line. */
export function comment(lines: readonly string[], sign = "#"): string {
  return lines.map((line) => `${sign} ${line}\n`).join("");
}
