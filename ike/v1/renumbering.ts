/** The mappings of a tunnel have other numbers since its configuration changed. */
import { renumberedPair } from "../core/child.js";
import type { Moved } from "../core/policy-change.js";
import type { V1Sa } from "./state.js";

/** Undefined while a quick mode is under way that says which mapping it is about. Children of mappings that are gone must be gone. */
export function renumbered(sa: V1Sa, moved: Moved): V1Sa | undefined {
  if (sa.phase !== "peer") return sa;
  if (sa.quicks.some(({ stage }) => stage !== "done" && stage !== "answered")) return undefined;
  const children = new Map([...sa.children].map(([id, child]) => [id, renumberedPair(child, moved)]));
  const wishes = sa.wishes.flatMap((wish) => {
    const mapping = moved(wish.mapping);
    return mapping === undefined ? [] : { ...wish, mapping };
  });
  return { ...sa, children, wishes };
}
