/** `core/context.ts` for IKEv1: steps of a negotiation or of a peer, and reports with its names. */
import type { Notice as AnyNotice, ReportBody } from "../core/context.js";
import { reportOf } from "../core/context.js";
import type { Effect } from "../core/types.js";
import type { V1Peer, V1Sa } from "./state.js";

export type { SaContext } from "../core/context.js";

/** What is born of an IKEv1 SA: a peer with one phase 1, or a negotiation on behalf of a peer. */
export type Notice = AnyNotice<V1Sa>;
export type SaEffect = Effect | Notice;

/** The next state (undefined: gone) and what follows, in order. */
export interface Step<Sa extends V1Sa | undefined = V1Sa | undefined> {
  readonly sa: Sa;
  readonly effects: readonly SaEffect[];
}

export function stepTo<Sa extends V1Sa | undefined>(sa: Sa, ...effects: readonly SaEffect[]): Step<Sa> {
  return { sa, effects };
}

/** Continues with the state that a step made; the effects of both, in order. */
export function andThen<A extends V1Sa | undefined, B extends V1Sa | undefined>(
  step: Step<A>,
  next: (sa: A) => Step<B>,
): Step<B> {
  const following = next(step.sa);
  return { sa: following.sa, effects: [...step.effects, ...following.effects] };
}

/** A report with the names that make a log read as one story. */
export function report(sa: V1Sa, body: ReportBody): SaEffect {
  return reportOf(sa, tunnelOf(sa), body);
}

/** An input that changed nothing. */
export function ignore<Sa extends V1Sa>(sa: Sa, code: string, detail: string): Step<Sa> {
  return stepTo(sa, report(sa, { kind: "ignored", code, detail }));
}

export function tunnelOf(sa: V1Sa): string | undefined {
  return "tunnel" in sa ? sa.tunnel : undefined;
}

export type { V1Peer };
