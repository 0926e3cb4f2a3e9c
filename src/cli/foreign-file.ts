/** Files of other products, from a path: what `import` and `lint` read. */
import { readFileSync } from "node:fs";
import { printable } from "../config/problem.js";
import { UnreadableFile } from "../exchange-formats/notes.js";
import { KINDS, type KindWord, MOST_OCTETS, readForeign } from "../exchange-formats/read-file.js";
import type { Readout } from "../exchange-formats/readout.js";
import { CommandError, EXIT } from "./exit.js";

export function readText(file: string): string {
  try {
    const octets = readFileSync(file);
    if (octets.length > MOST_OCTETS)
      throw new CommandError(EXIT.usage, `${file}: it has more than ${MOST_OCTETS} octets`);
    return new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (error instanceof TypeError) throw new CommandError(EXIT.usage, `${file}: it is not UTF-8 text`);
    const code = (error as NodeJS.ErrnoException).code;
    throw new CommandError(
      EXIT.usage,
      `${file} cannot be read: ${code === "ENOENT" ? "there is no such file" : (code ?? String(error))}`,
    );
  }
}

/** `kind` as the operator wrote it. */
export function readForeignFile(
  file: string,
  text: string,
  kind: string | undefined,
  secrets: string | undefined,
): Readout {
  if (kind !== undefined && !KINDS.includes(kind as KindWord))
    throw new CommandError(EXIT.usage, `--kind: found "${printable(kind)}"; allowed: ${KINDS.join(", ")}`);
  try {
    return readForeign(text, kind as KindWord | undefined, secrets);
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    throw new CommandError(EXIT.usage, `${file}:${error.line}: ${error.message}`);
  }
}
