/** An SA pair on its way to the worker and back: suites travel as registry names, keys as plain octets. */
import type { SaPair } from "../../esp/sa.js";
import type { ChildMessage } from "./protocol.js";

/** For `installChild`. The key octets are copied by `postMessage`; the originals stay with their `Secret`. */
export function childMessage({ suite, keys, ...child }: SaPair): ChildMessage {
  return {
    ...child,
    suite: {
      encryption: suite.encryption.name,
      keyBits: suite.keyBits,
      ...(suite.integrity && { integrity: suite.integrity.name, icvBytes: suite.integrity.icvBytes }),
      extendedSequence: suite.sequence.extended,
    },
    inboundKeys: { encryption: keys.inbound.encryption.reveal(), integrity: keys.inbound.integrity.reveal() },
    outboundKeys: { encryption: keys.outbound.encryption.reveal(), integrity: keys.outbound.integrity.reveal() },
  };
}
