/** The repository as the tests of its rules see it. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** The top of the repository, seen from the compiled test in dist/test/repo. */
export const root = join(import.meta.dirname, "..", "..", "..");

const SKIPPED_FOLDERS = new Set(["node_modules", "dist", ".git"]);

/** Paths of the files below a folder of the repository, relative to its top, sorted. */
export function filesBelow(folder: string): string[] {
  const found: string[] = [];
  const walk = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) walk(join(path, entry.name));
      else if (entry.isFile()) found.push(relative(root, join(path, entry.name)));
    }
  };
  walk(join(root, folder));
  return found.sort();
}

export function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** The text of a source with comments blanked out, line breaks kept, so that positions stay those of the file. */
export function withoutComments(source: string): string {
  // A string or template is matched first and kept: "https://…" is no comment.
  const pattern = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return source.replace(pattern, (match, kept: string | undefined) => kept ?? match.replace(/[^\n]/g, " "));
}

/** Where a pattern (with flag g) matches: `line` counts from 1. */
export function matches(source: string, pattern: RegExp): { readonly line: number; readonly text: string }[] {
  return [...source.matchAll(pattern)].map((match) => ({
    line: source.slice(0, match.index).split("\n").length,
    text: match[1] ?? match[0],
  }));
}
