import type { Reader } from "../../reader.js";
import type { Writer } from "../../writer.js";

/** Domain of Interpretation (4 octets): 0 is ISAKMP itself, 1 is IPsec (RFC 2407). Other numbers mean other formats. */
export type Doi = "ISAKMP" | "IPSEC";

/** Refuses a DOI whose numbers and SPIs would mean something else. */
export function readDoi(r: Reader): Doi {
  const doi = r.u32("Domain of Interpretation");
  const name = DOIS[doi];
  return name ?? r.fail(`Domain of Interpretation ${doi}, only IPsec (1) is supported`);
}

export function writeDoi(w: Writer, doi: Doi): void {
  w.u32(DOIS.indexOf(doi));
}

const DOIS: readonly Doi[] = ["ISAKMP", "IPSEC"];
