/** The known answers of start-up: one per row and key length, each also a case of `vectors/` (a test compares). */

import type { WorkingRow } from "./backends.js";
import type { BackendName } from "./registry/row.js";

/** Why a backend does not give the row's known answer; undefined: it does. */
export function failureOf(row: WorkingRow, backend: BackendName): string | undefined {
  return row.implementations[backend] === undefined ? `no backend ${backend}` : undefined;
}
