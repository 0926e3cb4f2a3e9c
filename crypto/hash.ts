/** One-shot hashes of public data: SHA-1 for NAT detection (RFC 7296 section 2.23), SHA-256 for cookies and names. */
import { createHash } from "node:crypto";
import { concat } from "./bytes.js";

export function sha1(...data: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(createHash("sha1").update(joined(data)).digest());
}

export function sha256(...data: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(createHash("sha256").update(joined(data)).digest());
}

function joined(data: readonly Uint8Array[]): Uint8Array {
  return data.length === 1 ? data[0]! : concat(...data);
}
