/** The transition table: phase x exchange x role, with the payloads that each row needs. Logs and docs print the stories. */
import { ProtocolError } from "../core/errors.js";
import type { ExchangeType } from "../wire/exchange-types.js";
import { isErrorNotify, notifyName } from "../wire/notify-table.js";
import type { SaContext, Step } from "./context.js";
import { CHILD_REQUEST_ROW } from "./create-child-answer.js";
import { type ChildResponse, onChildRefused, onChildResponse } from "./create-child-sa.js";
import { FIRST_REQUEST_ROWS } from "./first-request.js";
import { AUTH_RESPONSE_ROWS } from "./ike-auth.js";
import { AUTH_REQUEST_ROWS } from "./ike-auth-answer.js";
import { INIT_RESPONSE_ROWS } from "./ike-sa-init.js";
import { INFORMATIONAL_ROWS } from "./informational.js";
import { IKE_REKEY_REQUEST_ROW, type IkeResponse, onIkeRefused, onIkeResponse } from "./rekey-ike.js";
import { type Received, type Row, row } from "./row.js";
import type { Closing, Established, Lingering } from "./state.js";

/** An answer to CREATE_CHILD_SA is read by what was asked, not by what it looks like. */
function onChildAnswered(sa: Established, message: ChildResponse, ctx: SaContext): Step {
  if (sa.task?.do !== "child") throw unasked();
  return onChildResponse(sa, sa.task, message, ctx);
}

function onIkeAnswered(sa: Established, message: IkeResponse, ctx: SaContext): Step {
  if (sa.task?.do !== "rekeyIke") throw unasked();
  return onIkeResponse(sa, sa.task, message, ctx);
}

function onRefused(sa: Established, { notifies }: Received<"N">, ctx: SaContext): Step {
  const refusal = notifies.find((n) => isErrorNotify(n.notify));
  if (refusal === undefined)
    throw new ProtocolError(
      "INVALID_SYNTAX",
      `an answer of ${notifies.map((n) => notifyName(n.notify)).join(", ")} alone`,
    );
  if (sa.task?.do === "rekeyIke") return onIkeRefused(sa, sa.task, refusal.notify, refusal.data, ctx);
  if (sa.task?.do === "child") return onChildRefused(sa, sa.task, refusal.notify, refusal.data, ctx);
  throw unasked();
}

/** RFC 7296 section 2.25.2: no new SAs in an IKE SA that ends. */
function onTooLate(_: Closing | Lingering): Step {
  throw new ProtocolError("TEMPORARY_FAILURE", "this IKE SA is being deleted");
}

function unasked(): ProtocolError {
  return new ProtocolError("INVALID_SYNTAX", "an answer to CREATE_CHILD_SA that does not fit what was asked");
}

const CREATE_CHILD_SA_ROWS: readonly Row[] = [
  CHILD_REQUEST_ROW,
  IKE_REKEY_REQUEST_ROW,
  row({
    phase: "established",
    exchange: "CREATE_CHILD_SA",
    response: true,
    story: "the peer agrees to the child",
    needs: ["SA", "Nonce", "TSi", "TSr"],
    may: ["KE", "N"],
    run: onChildAnswered,
  }),
  row({
    phase: "established",
    exchange: "CREATE_CHILD_SA",
    response: true,
    story: "the peer agrees to the rekey of the IKE SA",
    needs: ["SA", "Nonce", "KE"],
    may: ["N"],
    run: onIkeAnswered,
  }),
  row({
    phase: "established",
    exchange: "CREATE_CHILD_SA",
    response: true,
    story: "the peer refuses what we asked for",
    needs: ["N"],
    may: [],
    run: onRefused,
  }),
  row({
    phase: "closing",
    exchange: "CREATE_CHILD_SA",
    response: false,
    story: "the peer asks for a child in an IKE SA that we are deleting",
    needs: [],
    may: [],
    run: onTooLate,
  }),
  row({
    phase: "lingering",
    exchange: "CREATE_CHILD_SA",
    response: false,
    story: "the peer asks for a child in an IKE SA that is over",
    needs: [],
    may: [],
    run: onTooLate,
  }),
];

export const EXCHANGE_TABLE: readonly Row[] = [
  ...FIRST_REQUEST_ROWS,
  ...INIT_RESPONSE_ROWS,
  ...AUTH_REQUEST_ROWS,
  ...AUTH_RESPONSE_ROWS,
  ...CREATE_CHILD_SA_ROWS,
  ...INFORMATIONAL_ROWS,
];

const BY_PLACE = new Map<string, Row[]>();
for (const r of EXCHANGE_TABLE) {
  const place = `${r.phase} ${r.exchange} ${r.response}`;
  BY_PLACE.set(place, [...(BY_PLACE.get(place) ?? []), r]);
}

/** The rows for a message in a phase; none: it has no business here. */
export function rowsFor(phase: Row["phase"], exchange: ExchangeType, response: boolean): readonly Row[] {
  return BY_PLACE.get(`${phase} ${exchange} ${response}`) ?? [];
}
