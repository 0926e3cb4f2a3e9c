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
const NO_PROPOSAL_WORD = "pluto implements it for IKE not at all, or not for IKEv2";
const NOT_COMPILED = "not compiled into Debian's libreswan";
const ESP_IN_CHARON = "charon's own ESP has no crypter for it; the kernel's has";

export const LACKS: Readonly<Record<PeerKind, Readonly<Record<Usage, Reasons>>>> = {
  "strongswan-userspace": {
    ike: { null: NO_ENCRYPTION, "aes*gmac": NO_ENCRYPTION },
    esp: { "aes*gmac": ESP_IN_CHARON },
  },
  "strongswan-kernel": {
    ike: { null: NO_ENCRYPTION, "aes*gmac": NO_ENCRYPTION },
    esp: {},
  },
  "libreswan-kernel": {
    ike: {
      null: NO_ENCRYPTION,
      "aes*gmac": NO_ENCRYPTION,
      des: NOT_COMPILED,
      "aes*ccm8": NO_PROPOSAL_WORD,
      "aes*ccm12": NO_PROPOSAL_WORD,
      "aes*ccm16": NO_PROPOSAL_WORD,
      "camellia*ctr": NO_PROPOSAL_WORD,
      aescmac: NO_PROPOSAL_WORD,
      prfaescmac: NO_PROPOSAL_WORD,
      modp768: NOT_COMPILED,
      modp1024: NOT_COMPILED,
      modp1024s160: NOT_COMPILED,
      modp2048s224: NOT_COMPILED,
      modp2048s256: NOT_COMPILED,
      ecp224bp: NOT_COMPILED,
      ecp256bp: NOT_COMPILED,
      ecp384bp: NOT_COMPILED,
      ecp512bp: NOT_COMPILED,
      x448: NOT_COMPILED,
    },
    esp: {
      des: NOT_COMPILED,
      modp768: NOT_COMPILED,
      modp1024: NOT_COMPILED,
      modp1024s160: NOT_COMPILED,
      modp2048s224: NOT_COMPILED,
      modp2048s256: NOT_COMPILED,
      ecp224bp: NOT_COMPILED,
      ecp256bp: NOT_COMPILED,
      ecp384bp: NOT_COMPILED,
      ecp512bp: NOT_COMPILED,
      x448: NOT_COMPILED,
    },
  },
};

/** Why this peer cannot be met with the row; undefined when it can. */
export function lackOf(peer: PeerKind, usage: Usage, row: TransformRow): string | undefined {
  if (row.ids.ikev2 === undefined) return "no IANA number: two of ours meet under each numbering (test/daemon)";
  return LACKS[peer][usage][row.keywords[0]!];
}
