/** `core/context.ts` for IKEv2: steps of an IKEv2 SA, and reports with its names. */
import type { Notice as AnyNotice, ReportBody } from "../core/context.js";
import { reportOf } from "../core/context.js";
import type { Effect } from "../core/types.js";
import type { IkeSa } from "./state.js";

export type { Ids, LossCause, SaContext, Sight } from "../core/context.js";
export { peerText, spiHex, spiText } from "../core/context.js";

export type Notice = AnyNotice<IkeSa>;

export type SaEffect = Effect | Notice;

/** The next state (undefined: gone) and what follows, in order. */
export interface Step<Sa extends IkeSa | undefined = IkeSa | undefined> {
  readonly sa: Sa;
  readonly effects: readonly SaEffect[];
}

export function stepTo<Sa extends IkeSa | undefined>(sa: Sa, ...effects: readonly SaEffect[]): Step<Sa> {
  return { sa, effects };
}

/** Continues with the state that a step made; the effects of both, in order. */
export function andThen<A extends IkeSa | undefined, B extends IkeSa | undefined>(
  step: Step<A>,
  next: (sa: A) => Step<B>,
): Step<B> {
  const following = next(step.sa);
  return { sa: following.sa, effects: [...step.effects, ...following.effects] };
}

/** A report with the names that make a log read as one story. */
export function report(sa: IkeSa, body: ReportBody): SaEffect {
  return reportOf(sa, tunnelOf(sa), body);
}

/** An input that changed nothing. */
export function ignore<Sa extends IkeSa>(sa: Sa, code: string, detail: string): Step<Sa> {
  return stepTo(sa, report(sa, { kind: "ignored", code, detail }));
}

export function tunnelOf(sa: IkeSa): string | undefined {
  if ("tunnel" in sa) return sa.tunnel;
  if ("offer" in sa) return sa.offer.tunnel;
  return "before" in sa ? sa.before.offer.tunnel : undefined;
}
