/** Runs one case of a vector file: those about algorithms in `crypto/proof`, those about IKE through the code that serves the exchanges. */
import { createPrf } from "../../crypto/backends.js";
import { hex, octets } from "../../crypto/bytes.js";
import { runCase } from "../../crypto/proof/run-case.js";
import type { FileCase, Ikev1KeysCase } from "../../crypto/proof/vector-file.js";
import { rowByName } from "../../crypto/registry/lookup.js";
import type { BackendName, TransformRow } from "../../crypto/registry/row.js";
import { secret } from "../../crypto/secret.js";
import { phase1Keys, preSharedSkeyid, signatureSkeyid } from "../../ike/v1/keys.js";

/** Undefined when the figures come out, else what came out instead. Never throws. */
export function runVector(row: TransformRow, backend: BackendName, vector: FileCase): string | undefined {
  if (vector.kind !== "ikev1-keys") return runCase(row, backend, vector, (name) => rowByName("integrity", name));
  try {
    return runIkev1Keys(row, backend, vector);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function runIkev1Keys(row: TransformRow, backend: BackendName, vector: Ikev1KeysCase): string | undefined {
  if (row.kind !== "prf") throw new RangeError(`${row.name} is no PRF`);
  const prf = createPrf(row, backend);
  const nonces = { ni: octets(vector.ni), nr: octets(vector.nr) };
  const shared = secret(octets(vector.gIr));
  const skeyid =
    vector.auth === "psk"
      ? preSharedSkeyid(prf, secret(octets(vector.psk)), nonces)
      : signatureSkeyid(prf, nonces, shared);
  const keys = phase1Keys(prf, skeyid, shared, {
    initiatorCookie: BigInt(`0x${vector.cookieI}`),
    responderCookie: BigInt(`0x${vector.cookieR}`),
  });
  for (const name of ["skeyid", "skeyidD", "skeyidA", "skeyidE"] as const)
    if (hex(keys[name].reveal()) !== vector[name]) return `${name.toUpperCase()} differs from the published one`;
  return undefined;
}
