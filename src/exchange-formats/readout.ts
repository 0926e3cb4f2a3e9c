/** What reading another product's file gives. */

import { proposalKeywords } from "../../crypto/registry/proposal.js";
import type { EspProposal } from "../../crypto/registry/suite.js";
import type { Secret } from "../../crypto/secret.js";
import { type Identity, sameIdentity } from "../../ike/core/identity.js";
import { type Connection, type End, identityAt } from "./connection.js";
import type { Note, Notes } from "./notes.js";

/** The files that `import` and `lint` know. */
export type FileKind =
  | "swanctl.conf"
  | "ipsec.conf (strongSwan)"
  | "ipsec.conf (libreswan)"
  | "AWS download"
  | "Tencent Cloud download";

export interface Readout {
  readonly kind: FileKind;
  /** Clouds write for the customer, who is us; the other files describe the gateway that they lie on. */
  readonly describes: "the customer" | "its own gateway";
  readonly connections: readonly Connection[];
  readonly notes: readonly Note[];
}

/** A pre-shared key of a file, and for whom it is; no owner: for everybody. */
export interface OwnedSecret {
  readonly owners: readonly Identity[];
  readonly secret: Secret;
}

/** The key of two identities, as strongSwan and libreswan choose it: the more of them own it, the better. */
export function secretFor(secrets: readonly OwnedSecret[], local: End, remote: End): Secret | undefined {
  const both = [identityAt(local), identityAt(remote)];
  let best: OwnedSecret | undefined;
  let most = -1;
  for (const each of secrets) {
    const owned = both.filter((id) => id !== undefined && each.owners.some((owner) => sameIdentity(owner, id))).length;
    const strangers = each.owners.length > 0 && owned === 0;
    if (!strangers && owned > most) {
      best = each;
      most = owned;
    }
  }
  return best?.secret;
}

/** One of several ESP settings of a file's children: ours has one for a tunnel. */
export interface ChildSettings {
  readonly name: string;
  readonly line: number;
  readonly esp: Connection["esp"];
  readonly encapsulation?: "auto" | "udp";
}

/** The settings of the first; the others are noted where they differ. */
export function commonSettings(children: readonly ChildSettings[], notes: Notes): Connection["esp"] {
  const [first, ...others] = children;
  if (first === undefined) return {};
  for (const { name, line, esp } of others)
    if (settingsKey(esp) !== settingsKey(first.esp))
      notes.add(
        line,
        `${name} has other ESP settings than ${first.name}; a tunnel has one set for all its policies, and those of ${first.name} are taken`,
      );
  return first.esp;
}

function settingsKey({ proposals, ...rest }: Connection["esp"]): string {
  return JSON.stringify({ ...rest, proposals: proposals?.map((each: EspProposal) => proposalKeywords(each)) });
}
