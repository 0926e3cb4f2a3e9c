/** Problems and warnings on their way to the operator: placed, each once, in the order of the file. */
import type { SourceDocument } from "./document.js";
import type { Warning } from "./model.js";
import { formatPath, type ValuePath } from "./path.js";
import type { Problem } from "./problem.js";

export interface Findings {
  complain(path: ValuePath, message: string): void;
  warn(path: ValuePath, message: string): void;
  problems(): readonly Problem[];
  warnings(): readonly Warning[];
}

/** What is inherited from `defaults` is found once per tunnel, and told once. */
export function collectFindings(source: SourceDocument): Findings {
  const problems = new Map<string, Problem>();
  const warnings = new Map<string, Problem>();
  const add = (to: Map<string, Problem>, path: ValuePath, message: string): void => {
    to.set(`${formatPath(path)} ${message}`, { path, position: source.positionOf(path), message });
  };
  return {
    complain: (path, message) => add(problems, path, message),
    warn: (path, message) => add(warnings, path, message),
    problems: () => inFileOrder([...problems.values()]),
    warnings: () =>
      inFileOrder([...warnings.values()]).map(({ path, position, message }) => ({
        path: formatPath(path),
        ...position,
        message,
      })),
  };
}

export function inFileOrder(problems: readonly Problem[]): readonly Problem[] {
  return [...problems].sort((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
}
