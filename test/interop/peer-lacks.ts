/**
 * What the installed peers (strongSwan 5.9.8, libreswan 4.10) lack of the registry, and why: an algorithm has either rows in
 * the table or a sentence here. What they have is in `charon`'s and `pluto`'s own lists (`swanctl --list-algs`, `pluto --selftest`).
 */
import type { TransformRow } from "../../crypto/registry/row.js";
import type { PeerKind } from "./scenario.js";

export type Usage = "ike" | "esp";
/** By the first keyword of the row. */
type Reasons = Readonly<Record<string, string>>;

const NO_ENCRYPTION = "RFC 7296 section 5: IKE messages are encrypted";
const NOT_FOR_IKE = "pluto has it for ESP alone, or not at all";
const NOT_LISTED = "not in the list of Debian's pluto";
const NO_GROUPS = Object.fromEntries(
  [
    ...["modp768", "modp1024", "modp1024s160", "modp2048s224", "modp2048s256"],
    ...["ecp224bp", "ecp256bp", "ecp384bp", "ecp512bp", "x448"],
  ].map((word) => [word, NOT_LISTED]),
);
const NOT_IN_LINUX = "the kernel has no ESP with Camellia in counter mode";
const ESP_IN_CHARON = "charon's own ESP has no crypter for it; the kernel's has";

export const LACKS: Readonly<Record<PeerKind, Readonly<Record<Usage, Reasons>>>> = {
  "strongswan-userspace": {
    ike: { null: NO_ENCRYPTION, "aes*gmac": NO_ENCRYPTION },
    esp: { "aes*gmac": ESP_IN_CHARON },
  },
  "strongswan-kernel": {
    ike: { null: NO_ENCRYPTION, "aes*gmac": NO_ENCRYPTION },
    esp: { "camellia*ctr": NOT_IN_LINUX },
  },
  "libreswan-kernel": {
    ike: {
      null: NO_ENCRYPTION,
      "aes*gmac": NO_ENCRYPTION,
      des: NOT_LISTED,
      "aes*ccm8": NOT_FOR_IKE,
      "aes*ccm12": NOT_FOR_IKE,
      "aes*ccm16": NOT_FOR_IKE,
      "camellia*ctr": NOT_FOR_IKE,
      aescmac: NOT_FOR_IKE,
      prfaescmac: NOT_FOR_IKE,
      ...NO_GROUPS,
    },
    esp: { des: NOT_LISTED, "camellia*ctr": NOT_IN_LINUX, ...NO_GROUPS },
  },
};

/** Why this peer cannot be met with the row; undefined when it can. */
export function lackOf(peer: PeerKind, usage: Usage, row: TransformRow): string | undefined {
  if (row.ids.ikev2 === undefined) return "no IANA number: two of ours meet under each numbering (test/daemon)";
  return LACKS[peer][usage][row.keywords[0]!];
}
