/** Every world that can be reached, each once: a depth-first search over canonical worlds. */
import assert from "node:assert/strict";
import { canonical } from "./canonical.js";
import { actions, type Rules, type World } from "./world.js";

interface Node {
  readonly world: World;
  readonly from?: Node;
  readonly by: string;
  readonly name: string;
}

export interface Explored {
  readonly states: number;
  readonly actions: number;
  /** Worlds in which nothing happens any more. */
  readonly ends: number;
}

/**
 * `problem` judges a world in which nothing can happen any more. Fails with the whole story when it finds one, when anything
 * throws, and when a story can go on for ever.
 */
export function explore(
  start: World,
  rules: Rules,
  problem: (end: World) => string | undefined,
  most = 5_000_000,
): Explored {
  const seen = new Set<string>();
  /** On the way from the start to where we are. */
  const open = new Set<string>();
  let count = 0;
  let ends = 0;
  const stack: (Node | string)[] = [{ world: start, by: "the start", name: canonical(start) }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (typeof next === "string") {
      open.delete(next);
      continue;
    }
    const { world, name } = next;
    if (open.has(name)) assert.fail(`a story without end:\n${story(next)}`);
    if (seen.has(name)) continue;
    seen.add(name);
    if (seen.size > most) assert.fail(`more than ${most} states:\n${story(next)}`);
    open.add(name);
    stack.push(name);
    let following: ReturnType<typeof actions>;
    try {
      following = actions(world, rules);
    } catch (error) {
      throw new Error(`${error}\n${story(next)}`, { cause: error });
    }
    count += following.length;
    if (following.length === 0) {
      ends++;
      const found = problem(world);
      if (found !== undefined) assert.fail(`${found}\n${story(next)}`);
    }
    for (const { name: by, world: after } of following) {
      const key = canonical(after);
      if (!seen.has(key) || open.has(key)) stack.push({ world: after, from: next, by, name: key });
    }
  }
  return { states: seen.size, actions: count, ends };
}

function story(node: Node): string {
  const lines: string[] = [];
  for (let at: Node | undefined = node; at !== undefined; at = at.from) lines.push(`${at.world.now} ms: ${at.by}`);
  return lines.reverse().join("\n");
}
