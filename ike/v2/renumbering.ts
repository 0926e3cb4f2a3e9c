/** The mappings of a tunnel have other numbers since its configuration changed. */
import { renumberedPair } from "../core/child.js";
import type { Moved } from "../core/policy-change.js";
import type { IkeSa } from "./state.js";

/** Undefined while an exchange about a child is under way: it says which mappings it is about. Children of mappings that are gone must be gone. */
export function renumbered(sa: IkeSa, moved: Moved): IkeSa | undefined {
  switch (sa.phase) {
    case "authSent":
      return sa.child === undefined ? sa : undefined;
    case "established":
    case "heir": {
      if (sa.task?.do === "child" || sa.answering?.do === "child") return undefined;
      const children = new Map([...sa.children].map(([id, child]) => [id, renumberedPair(child, moved)]));
      // The supervisor asks again for what is not carried.
      return { ...sa, children, wishes: sa.wishes.filter((wish) => wish.do !== "createChild") };
    }
    default:
      return sa;
  }
}
