/** What a driver would answer the core, at once: with the toy groups, a key, and names that a test knows. */
import { utf8 } from "../../crypto/bytes.js";
import { secret } from "../../crypto/secret.js";
import type { Address } from "../../esp/address.js";
import type { Answer, Question } from "../../ike/core/types.js";
import { toyPublicValue, toySharedSecret } from "./toy-group.js";

export interface Known {
  readonly psk: string;
  /** Where a name leads to; empty: nowhere. */
  readonly addressesOf: (name: string) => readonly Address[];
  /** Our own address on the way to any of them. */
  readonly local: Address;
}

export function answerTo(question: Question, { psk, addressesOf, local }: Known): Answer {
  switch (question.kind) {
    case "publicValue":
      return { kind: "publicValue", publicValue: toyPublicValue(question.group, question.privateOctets) };
    case "sharedSecret": {
      const shared = toySharedSecret(question.group, question.privateOctets, question.peerPublic);
      return shared === undefined
        ? { kind: "refused", reason: "the peer's public value is not valid" }
        : { kind: "sharedSecret", secret: shared };
    }
    case "psk":
      return { kind: "psk", psk: secret(utf8(psk)) };
    case "resolve": {
      const remotes = addressesOf(question.name);
      if (remotes.length === 0) return { kind: "refused", reason: `no such name: ${question.name}` };
      return { kind: "resolve", addresses: remotes.map((remote) => ({ remote, local })) };
    }
  }
}
