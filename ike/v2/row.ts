/**
 * A row of the transition table: in this phase, this message, with these payloads, is handled so. What a row needs and
 * may contain types the message that its handler gets.
 */
import type { Path } from "../../esp/address.js";
import { ProtocolError } from "../core/errors.js";
import type { ExchangeName } from "../wire/exchange-types.js";
import type { IkeHeader } from "../wire/header.js";
import type { Payload } from "../wire/message.js";
import type { PayloadBodies, PayloadKind } from "../wire/payload-table.js";
import type { SaContext, Step } from "./context.js";
import type { In, Phase } from "./state.js";

/** "none": a first message, for which there is no IKE SA yet. */
export type RowPhase = Phase | "none";
type SaIn<P extends RowPhase> = P extends Phase ? In<P> : undefined;

/** Payloads that may occur many times; the handler gets a list, empty without any. */
interface Lists {
  readonly N: "notifies";
  readonly D: "deletes";
  readonly V: "vendorIds";
}

type Single = Exclude<PayloadKind, keyof Lists | "CERT" | "CERTREQ">;

/** A message that has passed every station before the handler. */
export type Received<Needs extends PayloadKind = never, May extends PayloadKind = never> = {
  readonly header: IkeHeader;
  readonly path: Path;
  /** The datagram. */
  readonly bytes: Uint8Array;
} & { readonly [Kind in Extract<Needs, Single>]: PayloadBodies[Kind] } & {
  readonly [Kind in Extract<May, Single>]?: PayloadBodies[Kind];
} & { readonly [Kind in Extract<Needs | May, keyof Lists> as Lists[Kind]]: readonly PayloadBodies[Kind][] };

export interface Row {
  readonly phase: RowPhase;
  readonly exchange: ExchangeName;
  readonly response: boolean;
  /** What happened and what follows, for the log and for the documentation. */
  readonly story: string;
  /** It happens all the time: the story is for the documentation, not for the log. */
  readonly routine?: true;
  readonly needs: readonly PayloadKind[];
  readonly may: readonly PayloadKind[];
  run(sa: unknown, message: unknown, ctx: SaContext): Step;
}

export interface RowOf<P extends RowPhase, Needs extends PayloadKind, May extends PayloadKind>
  extends Omit<Row, "phase" | "needs" | "may" | "run"> {
  readonly phase: P;
  readonly needs: readonly Needs[];
  readonly may: readonly May[];
  run(sa: SaIn<P>, message: Received<Needs, May>, ctx: SaContext): Step;
}

/** A row with its handler's types checked, and then forgotten: the table holds rows of every phase. */
export function row<P extends RowPhase, Needs extends PayloadKind, May extends PayloadKind = never>(
  typed: RowOf<P, Needs, May>,
): Row {
  return typed as unknown as Row;
}

/** What came with the message beside its payloads. */
export interface Envelope {
  readonly header: IkeHeader;
  readonly path: Path;
  readonly bytes: Uint8Array;
}

/**
 * The first row whose needed payloads are all there, and the message as that row sees it. Payloads that a row does not
 * name are passed over: a peer may send more than we asked for (RFC 7296 section 2.5). Throws `ProtocolError`
 * INVALID_SYNTAX when no row's needs are met, or when a payload that occurs once occurs twice.
 */
export function match(
  rows: readonly Row[],
  payloads: readonly Payload[],
  envelope: Envelope,
): { readonly row: Row; readonly message: unknown } {
  const present = new Set<string>(payloads.map((p) => p.kind));
  const found = rows.find((r) => r.needs.every((kind) => present.has(kind)));
  if (found === undefined) {
    const lacking = rows[0]!.needs.filter((kind) => !present.has(kind));
    throw new ProtocolError("INVALID_SYNTAX", `${envelope.header.exchange} without ${lacking.join(", ")}`);
  }
  return { row: found, message: sorted(found, payloads, envelope) };
}

const LISTS: Readonly<Record<string, string>> = { N: "notifies", D: "deletes", V: "vendorIds" } satisfies Lists;

function sorted(found: Row, payloads: readonly Payload[], { header, path, bytes }: Envelope): Record<string, unknown> {
  const wanted = new Set<string>([...found.needs, ...found.may]);
  const bodies: Record<string, unknown> = { header, path, bytes };
  for (const kind of wanted) if (LISTS[kind] !== undefined) bodies[LISTS[kind]] = [];
  for (const { kind, body } of payloads) {
    if (!wanted.has(kind)) continue;
    const list = LISTS[kind];
    if (list !== undefined) (bodies[list] as unknown[]).push(body);
    else if (kind in bodies) throw new ProtocolError("INVALID_SYNTAX", `more than one ${kind} payload`);
    else bodies[kind] = body;
  }
  return bodies;
}
