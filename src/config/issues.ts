/** What zod finds, as sentences with places in the file. */
import { z } from "zod";
import type { SourceDocument } from "./document.js";
import { formatPath, isSecretPath, type ValuePath } from "./path.js";
import { foundInstead, type Problem, printable } from "./problem.js";

type Issue = z.core.$ZodIssue;

/** Every issue as one problem, unknown keys one by one. A value that breaks several bounds is told once. */
export function toProblems(schema: z.ZodType, source: SourceDocument, error: z.ZodError): Problem[] {
  const problems = error.issues.flatMap((issue) => problemsOf(issue, [], schema, source));
  return [...new Map(problems.map((each) => [`${formatPath(each.path)} ${each.message}`, each])).values()];
}

function problemsOf(issue: Issue, above: ValuePath, schema: z.ZodType, source: SourceDocument): Problem[] {
  const path: ValuePath = [...above, ...(issue.path as (string | number)[])];
  const value = valueAt(source.value, path);
  const inner = issue.code === "invalid_union" && !isSecretPath(path) ? blockBranch(issue, value) : undefined;
  if (inner !== undefined) return inner.flatMap((each) => problemsOf(each, path, schema, source));
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(schema, path);
    return issue.keys.map((key) => unknownKey(path, key, known, source));
  }
  const missing = value === undefined && !source.has(path);
  const message = missing ? `is missing; ${issue.message}` : foundInstead(path, value, issue.message);
  return [{ path, position: source.positionOf(path), message }];
}

/** In a choice between a word and a block, what is wrong inside the block says more than "neither". */
function blockBranch(issue: Issue & { code: "invalid_union" }, value: unknown): readonly Issue[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return issue.errors.find((branch) =>
    branch.every((each) => each.path.length > 0 || each.code === "unrecognized_keys" || each.code === "too_small"),
  );
}

function unknownKey(path: ValuePath, key: string, known: readonly string[], source: SourceDocument): Problem {
  const whole = [...path, key];
  const nearest = nearestOf(key, known);
  const hint = nearest === undefined ? `known here: ${known.join(", ")}` : `did you mean ${nearest}?`;
  return {
    path: isSecretPath(path) ? path : whole,
    position: source.positionOfKey(whole),
    message: isSecretPath(path) ? "unknown key" : `unknown key "${printable(key)}"; ${hint}`,
  };
}

/** The keys of the block at a path of the document. */
function knownKeys(schema: z.ZodType, path: ValuePath): readonly string[] {
  let candidates: readonly z.ZodType[] = unwrap(schema);
  for (const step of path)
    candidates = candidates.flatMap((each) => {
      if (typeof step === "number") return each instanceof z.ZodArray ? unwrap(each.element as z.ZodType) : [];
      const next = each instanceof z.ZodObject ? (each.shape[step] as z.ZodType | undefined) : undefined;
      return next === undefined ? [] : unwrap(next);
    });
  return candidates.flatMap((each) => (each instanceof z.ZodObject ? Object.keys(each.shape) : []));
}

function unwrap(schema: z.ZodType): readonly z.ZodType[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => unwrap(option as z.ZodType));
  if (schema instanceof z.ZodPipe) return unwrap(schema.in as z.ZodType);
  if (schema instanceof z.ZodExactOptional || schema instanceof z.ZodOptional)
    return unwrap(schema.unwrap() as z.ZodType);
  return [schema];
}

/** The known key that few slips of the finger away, if there is one. */
function nearestOf(key: string, known: readonly string[]): string | undefined {
  const plain = (word: string) => word.toLowerCase().replaceAll("-", "_");
  let best: string | undefined;
  let least = Math.max(1, Math.floor(key.length / 3)) + 1;
  if (key.length > 60) return undefined;
  for (const word of known) {
    const slips = distance(plain(key), plain(word));
    if (slips < least) {
      least = slips;
      best = word;
    }
  }
  return best;
}

/** Insertions, deletions, changes and swaps of neighbours that lead from one word to the other. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      let slips = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        slips = Math.min(slips, rows[i - 2]![j - 2]! + 1);
      row.push(slips);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

function valueAt(value: unknown, path: ValuePath): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string | number, unknown>)[step];
  }
  return at;
}
