/** What the runs of recorded sessions share: figures that must come out, and the suite in keywords. */
import { hex } from "../../crypto/bytes.js";
import type { ChildKeysFigures } from "../../crypto/proof/vector-file.js";
import { parseEspProposal } from "../../crypto/registry/proposal.js";
import type { SealerKeys, SealerSpec } from "../../crypto/registry/row.js";
import type { EspProposal, IkeProposal } from "../../crypto/registry/suite.js";
import type { Secret } from "../../crypto/secret.js";

/** Thrown where a figure does not come out; the message is what the table prints. */
export class Difference extends Error {}

export function same(what: string, actual: Uint8Array | Secret, expected: string): void {
  const octets = actual instanceof Uint8Array ? actual : actual.reveal();
  if (hex(octets) !== expected) throw new Difference(`${what} differs from the published one`);
}

/** The first of everything that a proposal names. */
export function specOf({ encryption, integrity }: IkeProposal | EspProposal): SealerSpec {
  const { row, keyBits } = encryption[0]!;
  return { encryption: row, keyBits, ...(integrity[0] && { integrity: integrity[0] }) };
}

/** `keysOf` gives what protects the traffic that one side sends. */
export function sameChild(
  child: ChildKeysFigures | undefined,
  keysOf: (from: "initiator" | "responder", spec: SealerSpec) => SealerKeys,
): void {
  if (child === undefined) return;
  const spec = specOf(parseEspProposal(child.suite));
  const initiator = keysOf("initiator", spec);
  const responder = keysOf("responder", spec);
  same("KEYMAT, encryption of the initiator's", initiator.encryption, child.encryptionI);
  same("KEYMAT, integrity of the initiator's", initiator.integrity, child.integrityI);
  same("KEYMAT, encryption of the responder's", responder.encryption, child.encryptionR);
  same("KEYMAT, integrity of the responder's", responder.integrity, child.integrityR);
}
