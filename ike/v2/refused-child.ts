/** What a peer's refusal of a child says, and what it leaves open. */
import type { SaidAll } from "../core/evidence.js";
import { groupOf, groupWords } from "./ike-sa-init.js";

/**
 * `proven`: a child with the same algorithms was made in IKE_AUTH, where PFS does not count, so that nothing but PFS can be meant.
 */
export function refusedChild(
  notify: string,
  exchange: "IKE_AUTH" | "CREATE_CHILD_SA",
  data?: Uint8Array,
  proven = false,
): SaidAll {
  switch (notify) {
    case "TS_UNACCEPTABLE":
    case "SINGLE_PAIR_REQUIRED":
      return { ...ALGORITHMS_EQUAL, selectors: "different" };
    case "INVALID_KE_PAYLOAD":
      return { ...ALGORITHMS_EQUAL, pfs: data?.length === 2 ? { theirs: [groupWords(groupOf(data))] } : "different" };
    case "NO_PROPOSAL_CHOSEN":
      if (proven) return { ...ALGORITHMS_EQUAL, pfs: "different" };
      return {
        protocol: "suspect",
        encapsulation: "suspect",
        encryption: "suspect",
        integrity: "suspect",
        esn: "suspect",
        ...(exchange === "CREATE_CHILD_SA" && { pfs: "suspect" }),
      };
    default:
      return {};
  }
}

const ALGORITHMS_EQUAL: SaidAll = {
  protocol: "equal",
  encapsulation: "equal",
  encryption: "equal",
  integrity: "equal",
  esn: "equal",
};
