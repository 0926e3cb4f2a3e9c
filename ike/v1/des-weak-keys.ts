/** The keys that DES must not have, RFC 2409 appendix A: weak ones, and the pairs of semi-weak ones. */
import { hex } from "../../crypto/bytes.js";

/** With odd parity, as the RFC prints them. */
const WEAK = [
  ...["0101010101010101", "1f1f1f1f0e0e0e0e", "e0e0e0e0f1f1f1f1", "fefefefefefefefe"],
  ...["01fe01fe01fe01fe", "fe01fe01fe01fe01", "1fe01fe00ef10ef1", "e01fe01ff10ef10e"],
  ...["01e001e001f101f1", "e001e001f101f101", "1ffe1ffe0efe0efe", "fe1ffe1ffe0efe0e"],
  ...["011f011f010e010e", "1f011f010e010e01", "e0fee0fef1fef1fe", "fee0fee0fef1fef1"],
];

const LISTED: ReadonlySet<string> = new Set(WEAK);

/** `key` has eight octets; DES does not use their lowest bits, so they do not count here. */
export function isWeakDesKey(key: Uint8Array): boolean {
  return LISTED.has(hex(key.map(withOddParity)));
}

function withOddParity(octet: number): number {
  let parity = 1;
  for (let bits = octet >> 1; bits > 0; bits >>= 1) parity ^= bits & 1;
  return (octet & 0xfe) | parity;
}
