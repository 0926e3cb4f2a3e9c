/**
 * A row of the transition table: in this phase, this message, with these payloads, is handled so. What a row needs and
 * may contain types the message that its handler gets.
 */
import type { Path } from "../../esp/address.js";
import { ProtocolError } from "../core/errors.js";
import type { ExchangeNameV1 } from "../wire/exchange-types.js";
import type { HeaderV1 } from "../wire/header-v1.js";
import type { ReceivedPayloadV1 } from "../wire/message-v1.js";
import type { PayloadBodiesV1, PayloadKindV1 } from "../wire/payload-table.js";
import type { IdPayloadV1 } from "../wire/payloads/v1/id.js";
import type { SaContext, Step } from "./context.js";
import type { Quick } from "./quick.js";
import type { Negotiation, Phase1, V1Peer } from "./state.js";

/** "none": a first message. "peer": behind phase 1, outside of any quick mode. "quick …": in a quick mode of that stage. */
export type RowPhase = Negotiation["phase"] | "none" | "peer" | `quick ${Quick["stage"]}`;

/** Where a message behind phase 1 belongs: its phase 1, and its quick mode if there is one. */
export interface Place<Q extends Quick | undefined = Quick | undefined> {
  readonly peer: V1Peer;
  readonly phase1: Phase1;
  readonly quick: Q;
}

type SaIn<P extends RowPhase> = P extends Negotiation["phase"]
  ? Extract<Negotiation, { phase: P }>
  : P extends "none"
    ? undefined
    : P extends `quick ${infer Stage}`
      ? Place<Extract<Quick, { stage: Stage }>>
      : Place<undefined>;

/** Payloads that may occur many times; the handler gets a list, empty without any. */
interface Lists {
  readonly N: "notifies";
  readonly D: "deletes";
  readonly VID: "vendorIds";
  readonly "NAT-D": "natD";
  readonly "NAT-D draft": "natDrafts";
}

type Single = Exclude<PayloadKindV1, keyof Lists | "ID">;

/** An identity and its octets: HASH_I and HASH_R cover them as they came. */
export interface ReceivedId {
  readonly body: IdPayloadV1;
  readonly octets: Uint8Array;
}

/** A message that has passed every station before the handler. */
export type Received<Needs extends PayloadKindV1 = never, May extends PayloadKindV1 = never> = {
  readonly header: HeaderV1;
  readonly path: Path;
  /** The datagram. */
  readonly bytes: Uint8Array;
  /** SAi_b, where there is an SA payload. */
  readonly saBody: Uint8Array;
  /** IDii, IDir, or IDci and IDcr. */
  readonly ids: readonly ReceivedId[];
  /** All of it, for what looks at payloads of many numbers. */
  readonly payloads: readonly ReceivedPayloadV1[];
  /** The IV of the message that follows, where this one was encrypted. */
  readonly iv: Uint8Array;
} & { readonly [Kind in Extract<Needs, Single>]: PayloadBodiesV1[Kind] } & {
  readonly [Kind in Extract<May, Single>]?: PayloadBodiesV1[Kind];
} & { readonly [Kind in Extract<Needs | May, keyof Lists> as Lists[Kind]]: readonly PayloadBodiesV1[Kind][] };

export interface Row {
  readonly phase: RowPhase;
  readonly exchange: ExchangeNameV1;
  /** What happened and what follows, for the log and for the documentation. */
  readonly story: string;
  /** It happens all the time: the story is for the documentation, not for the log. */
  readonly routine?: true;
  readonly needs: readonly PayloadKindV1[];
  readonly may: readonly PayloadKindV1[];
  run(sa: unknown, message: unknown, ctx: SaContext): Step;
}

interface RowOf<P extends RowPhase, Needs extends PayloadKindV1, May extends PayloadKindV1>
  extends Omit<Row, "phase" | "needs" | "may" | "run"> {
  readonly phase: P;
  readonly needs: readonly Needs[];
  readonly may: readonly May[];
  run(sa: SaIn<P>, message: Received<Needs, May>, ctx: SaContext): Step;
}

/** A row with its handler's types checked, and then forgotten: the table holds rows of every phase. */
export function row<P extends RowPhase, Needs extends PayloadKindV1, May extends PayloadKindV1 = never>(
  typed: RowOf<P, Needs, May>,
): Row {
  return typed as unknown as Row;
}

/** What came with the message beside its payloads. */
export interface Envelope {
  readonly header: HeaderV1;
  readonly path: Path;
  readonly bytes: Uint8Array;
  readonly iv: Uint8Array;
}

/**
 * The first row whose needed payloads are all there, and the message as that row sees it. Payloads that a row does not
 * name are passed over. Throws `ProtocolError` INVALID_SYNTAX when no row's needs are met, or when a payload that occurs once
 * occurs twice.
 */
export function match(
  rows: readonly Row[],
  payloads: readonly ReceivedPayloadV1[],
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

const LISTS: Readonly<Record<string, string>> = {
  N: "notifies",
  D: "deletes",
  VID: "vendorIds",
  "NAT-D": "natD",
  "NAT-D draft": "natDrafts",
} satisfies Lists;

const NOTHING = new Uint8Array(0);

function sorted(
  found: Row,
  payloads: readonly ReceivedPayloadV1[],
  { header, path, bytes, iv }: Envelope,
): Record<string, unknown> {
  const wanted = new Set<string>([...found.needs, ...found.may]);
  const ids: ReceivedId[] = [];
  const bodies: Record<string, unknown> = { header, path, bytes, iv, payloads, ids, saBody: NOTHING };
  for (const kind of wanted) if (LISTS[kind] !== undefined) bodies[LISTS[kind]] = [];
  for (const p of payloads) {
    const { kind, body, octets } = p;
    if (!wanted.has(kind)) continue;
    const list = LISTS[kind];
    if (kind === "SA") bodies.saBody = octets;
    if (p.kind === "ID") ids.push({ body: p.body, octets });
    else if (list !== undefined) (bodies[list] as unknown[]).push(body);
    else if (kind in bodies) throw new ProtocolError("INVALID_SYNTAX", `more than one ${kind} payload`);
    else bodies[kind] = body;
  }
  return bodies;
}
