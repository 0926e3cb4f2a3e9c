/** The sealing suites that message tests run with, and keys for them. */
import { keyLengths } from "../../../crypto/backends.js";
import { parseIkeProposal } from "../../../crypto/registry/proposal.js";
import type { SealerKeys, SealerSpec } from "../../../crypto/registry/row.js";
import { secret } from "../../../crypto/secret.js";

export interface NamedSpec {
  readonly name: string;
  readonly spec: SealerSpec;
}

/** An AEAD first; "the first" is what tests take that need any. */
export const SUITES: readonly NamedSpec[] = [
  "aes256gcm16-prfsha256-x25519",
  "chacha20poly1305-prfsha256-x25519",
  "aes128-sha1-modp2048",
  "aes256-sha384-ecp384",
].map((name) => {
  const { encryption, integrity } = parseIkeProposal(name);
  const { row, keyBits } = encryption[0]!;
  const spec = { encryption: row, keyBits, ...(integrity[0] && { integrity: integrity[0] }) };
  return { name, spec };
});

/** Keys of the right lengths; the same octets each time. */
export function createKeys(spec: SealerSpec): SealerKeys {
  const { encryptionBytes, integrityBytes } = keyLengths(spec);
  return {
    encryption: secret(new Uint8Array(encryptionBytes).map((_, i) => i * 7 + 1)),
    integrity: secret(new Uint8Array(integrityBytes).map((_, i) => i * 11 + 3)),
  };
}
