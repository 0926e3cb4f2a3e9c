/**
 * A request of the peer that meets an exchange of our own, RFC 7296 section 2.25: it gets TEMPORARY_FAILURE, and so
 * may ours; both are tried again after a pause with jitter.
 */
import type { ChildId } from "../../esp/sa.js";
import { ProtocolError } from "../core/errors.js";
import type { Established } from "./state.js";

/** Section 2.25.2: no new child while the IKE SA is being replaced. */
export function refuseDuringIkeRekey(sa: Established): void {
  if (sa.task?.do === "rekeyIke") throw busy("we are rekeying the IKE SA");
}

/** Section 2.25.1: a child that we are replacing or deleting is not replaced by the peer at the same time. */
export function refuseChildRekey(sa: Established, child: ChildId): void {
  const { task } = sa;
  if (task?.do === "child" && task.offer.purpose.do === "rekey" && task.offer.purpose.child === child)
    throw busy("we are rekeying this child ourselves");
  if (sa.children.get(child)?.state !== "live") throw busy("this child is being deleted");
}

/** Two children for the same mapping would be born at once. */
export function refuseSameMapping(sa: Established, mappings: readonly number[]): void {
  const { task } = sa;
  if (task?.do !== "child" || task.offer.purpose.do !== "create") return;
  if (mappings.includes(task.offer.purpose.mapping)) throw busy("we are asking for this mapping ourselves");
}

/** Section 2.25.2: the IKE SA is not replaced while one of its children is being made or deleted. */
export function refuseIkeRekey(sa: Established): void {
  const { task } = sa;
  if (task !== undefined && task.do !== "probe" && task.do !== "mobike")
    throw busy(`an exchange of ours is under way (${task.do})`);
}

function busy(detail: string): ProtocolError {
  return new ProtocolError("TEMPORARY_FAILURE", detail);
}
