/** The transition table: phase x exchange x role, with the payloads that each row needs. Logs and docs print the stories. */
import type { ExchangeTypeV1 } from "../wire/exchange-types.js";
import { AGGRESSIVE_INITIATOR_ROWS } from "./aggressive-mode.js";
import { AGGRESSIVE_RESPONDER_ROWS } from "./aggressive-mode-answer.js";
import { INFORMATIONAL_ROWS } from "./informational.js";
import { MAIN_INITIATOR_ROWS } from "./main-mode.js";
import { MAIN_RESPONDER_ROWS } from "./main-mode-answer.js";
import { QUICK_INITIATOR_ROWS } from "./quick-mode.js";
import { QUICK_RESPONDER_ROWS } from "./quick-mode-answer.js";
import type { Row, RowPhase } from "./row.js";

export const TRANSITION_TABLE: readonly Row[] = [
  ...MAIN_INITIATOR_ROWS,
  ...MAIN_RESPONDER_ROWS,
  ...AGGRESSIVE_INITIATOR_ROWS,
  ...AGGRESSIVE_RESPONDER_ROWS,
  ...QUICK_INITIATOR_ROWS,
  ...QUICK_RESPONDER_ROWS,
  ...INFORMATIONAL_ROWS,
];

const BY_PLACE = new Map<string, Row[]>();
for (const r of TRANSITION_TABLE) {
  const place = `${r.phase} ${r.exchange}`;
  BY_PLACE.set(place, [...(BY_PLACE.get(place) ?? []), r]);
}

/** The rows for a message in a phase; none: it has no business here. */
export function rowsFor(phase: RowPhase, exchange: ExchangeTypeV1): readonly Row[] {
  return BY_PLACE.get(`${phase} ${exchange}`) ?? [];
}
