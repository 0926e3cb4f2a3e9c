/** Runs one case of a vector file: those about algorithms in `crypto/proof`, those about IKE through the code that serves the exchanges. */
import { runCase } from "../../crypto/proof/run-case.js";
import type { FileCase } from "../../crypto/proof/vector-file.js";
import { rowByName } from "../../crypto/registry/lookup.js";
import type { BackendName, PrfRow, TransformRow } from "../../crypto/registry/row.js";
import { runIkev1Keys, runIkev1Session } from "./vector-ikev1.js";
import { runIkev2Session } from "./vector-ikev2.js";

/** Undefined when the figures come out, else what came out instead. Never throws. */
export function runVector(row: TransformRow, backend: BackendName, vector: FileCase): string | undefined {
  try {
    switch (vector.kind) {
      case "ikev1-keys":
        runIkev1Keys(prfRow(row), backend, vector);
        return undefined;
      case "ikev1-session":
        runIkev1Session(prfRow(row), backend, vector);
        return undefined;
      case "ikev2-session":
        runIkev2Session(prfRow(row), backend, vector);
        return undefined;
      default:
        return runCase(row, backend, vector, (name) => rowByName("integrity", name));
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function prfRow(row: TransformRow): PrfRow {
  if (row.kind !== "prf") throw new RangeError(`${row.name} is no PRF`);
  return row;
}
