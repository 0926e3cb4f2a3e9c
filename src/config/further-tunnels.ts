/** Tunnels that stand in another file than the rest of the configuration, behind those of the file itself. */
import { readDocument, type SourceDocument } from "./document.js";
import type { ValuePath } from "./path.js";
import type { Position } from "./problem.js";

export interface FurtherTunnels {
  /** Its name in messages. */
  readonly file: string;
  /** JSON or YAML: a block with the list `tunnels`. */
  readonly text: string;
}

/** Both as one document; a place in the further tunnels names their file. */
export function withFurtherTunnels(own: SourceDocument, { file, text }: FurtherTunnels): SourceDocument {
  if (!isBlock(own.value)) return own;
  const other = readDocument(text);
  const first = Array.isArray(own.value.tunnels) ? own.value.tunnels : [];
  const more = isBlock(other.value) && Array.isArray(other.value.tunnels) ? other.value.tunnels : [];
  if (own.value.tunnels !== undefined && !Array.isArray(own.value.tunnels)) return own;
  const inOther = ([head, index, ...rest]: ValuePath): ValuePath | undefined =>
    head === "tunnels" && typeof index === "number" && index >= first.length
      ? ["tunnels", index - first.length, ...rest]
      : undefined;
  const place = (path: ValuePath, look: (from: SourceDocument, path: ValuePath) => Position): Position => {
    const there = inOther(path);
    return there === undefined ? look(own, path) : { ...look(other, there), file };
  };
  return {
    value: { ...own.value, tunnels: [...first, ...more] },
    problems: [
      ...own.problems,
      ...other.problems.map((problem) => ({ ...problem, position: { ...problem.position, file } })),
    ],
    has(path) {
      const there = inOther(path);
      return there === undefined ? own.has(path) : other.has(there);
    },
    positionOf: (path) => place(path, (from, at) => from.positionOf(at)),
    positionOfKey: (path) => place(path, (from, at) => from.positionOfKey(at)),
  };
}

function isBlock(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
