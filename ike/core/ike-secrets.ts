/**
 * The keys of the IKE SAs of one tunnel, for somebody who records its packets and has to open them again. Nothing else takes keys out of
 * the endpoint; they are `Secret`s here as well, and print as such.
 */
import type { IkeSuite } from "../../crypto/registry/suite.js";
import type { Secret } from "../../crypto/secret.js";
import type { IkeKeys } from "../v2/keys.js";
import type { Endpoint } from "./endpoint.js";
import { isV1, tunnelOf } from "./sas.js";

export type IkeSecrets = {
  readonly initiatorSpi: bigint;
  /** Of the peer's side as we know it so far. */
  readonly responderSpi: bigint;
} & (
  | { readonly version: 2; readonly suite: IkeSuite; readonly keys: IkeKeys }
  /** The key of the cipher: where the messages begin is known from the first ones of the negotiation alone. */
  | { readonly version: 1; readonly key: Secret }
);

/** Of every IKE SA that has keys now, also of one that is still negotiated. */
export function ikeSecrets({ sas }: Endpoint, tunnel: string): readonly IkeSecrets[] {
  const found: IkeSecrets[] = [];
  for (const sa of sas.values()) {
    if (tunnelOf(sa) !== tunnel) continue;
    if (!isV1(sa)) {
      if (!("keys" in sa)) continue;
      const { initiatorSpi, responderSpi, keys, negotiated } = sa;
      found.push({ version: 2, initiatorSpi, responderSpi, suite: negotiated.suite, keys });
    } else
      for (const one of sa.phase === "peer" ? sa.phase1s : "cipher" in sa ? [sa] : []) {
        const { initiatorSpi, responderSpi, cipher } = one;
        found.push({ version: 1, initiatorSpi, responderSpi, key: cipher.key });
      }
  }
  return found;
}
