/** Lifetimes as IKEv1 negotiates them: RFC 2409 appendix A (phase 1), RFC 2407 sections 4.5 and 4.6.3.1 (phase 2). */
import { type Attribute, readAttribute, writeAttribute } from "../wire/attributes.js";
import { MAX_ATTRIBUTES_V1 } from "../wire/limits.js";
import { Reader } from "../wire/reader.js";
import {
  attributeNumber,
  LIFE_TYPE,
  numberAttribute,
  PHASE1_ATTRIBUTE,
  PHASE2_ATTRIBUTE,
} from "../wire/v1-attributes.js";
import { Writer } from "../wire/writer.js";

/** What one side says of how long an SA may live. Left out: nothing was said. */
export interface Lifetimes {
  readonly seconds?: number;
  /** Units of 1024 octets. */
  readonly kilobytes?: number;
}

export type Phase = 1 | 2;

/** Of each kind the shorter one: both sides end an SA by it, whoever announced it. */
export function shorter(a: Lifetimes, b: Lifetimes): Lifetimes {
  return { ...shortest("seconds", a, b), ...shortest("kilobytes", a, b) };
}

/** Life Type and Life Duration, once for each kind. */
export function lifetimeAttributes(phase: Phase, { seconds, kilobytes }: Lifetimes): readonly Attribute[] {
  const { lifeType, lifeDuration } = CLASSES[phase];
  const pair = (type: number, duration: number | undefined) =>
    duration === undefined ? [] : [numberAttribute(lifeType, type), numberAttribute(lifeDuration, duration)];
  return [...pair(LIFE_TYPE.seconds, seconds), ...pair(LIFE_TYPE.kilobytes, kilobytes)];
}

/**
 * What attributes say: a Life Duration counts in the unit of the Life Type before it, in seconds without one. Units that we do not know
 * and durations of zero are passed over.
 */
export function lifetimesOf(phase: Phase, attributes: readonly Attribute[]): Lifetimes {
  const { lifeType, lifeDuration } = CLASSES[phase];
  let unit: number | undefined = LIFE_TYPE.seconds;
  let found: Lifetimes = {};
  for (const attribute of attributes) {
    if (attribute.type === lifeType) unit = attributeNumber(attribute);
    if (attribute.type !== lifeDuration) continue;
    const duration = attributeNumber(attribute);
    if (duration === undefined || duration === 0) continue;
    if (unit === LIFE_TYPE.seconds) found = shorter(found, { seconds: duration });
    else if (unit === LIFE_TYPE.kilobytes) found = shorter(found, { kilobytes: duration });
  }
  return found;
}

/** Data of a RESPONDER-LIFETIME notification: what the responder uses when it is shorter than the offer. */
export function responderLifetime(phase: Phase, lifetimes: Lifetimes): Uint8Array {
  const w = new Writer();
  for (const attribute of lifetimeAttributes(phase, lifetimes)) writeAttribute(w, attribute);
  return w.done();
}

/** The inverse. Throws `ProtocolError` INVALID_SYNTAX. */
export function responderLifetimeOf(phase: Phase, data: Uint8Array): Lifetimes {
  const r = new Reader(data, "RESPONDER-LIFETIME");
  const attributes: Attribute[] = [];
  while (r.remaining > 0) {
    if (attributes.length === MAX_ATTRIBUTES_V1) r.fail(`more than ${MAX_ATTRIBUTES_V1} attributes`);
    attributes.push(readAttribute(r));
  }
  return lifetimesOf(phase, attributes);
}

const CLASSES = { 1: PHASE1_ATTRIBUTE, 2: PHASE2_ATTRIBUTE } as const;

function shortest(kind: keyof Lifetimes, a: Lifetimes, b: Lifetimes): Lifetimes {
  const [one, other] = [a[kind], b[kind]];
  if (one === undefined && other === undefined) return {};
  return { [kind]: Math.min(one ?? Number.POSITIVE_INFINITY, other ?? Number.POSITIVE_INFINITY) };
}
