/** What the doctor says about one thing. */

/**
 * `fault`: this is why something does not work; `warning`: it will hurt, or it hurts only some; `unknown`: it could not be looked at;
 * `good`: looked at, and as it should be.
 */
export type Verdict = "good" | "warning" | "fault" | "unknown";

export interface Finding {
  /** Stable: what scripts compare. */
  readonly code: string;
  readonly verdict: Verdict;
  /** The tunnel that it is about; absent: the host as a whole. */
  readonly tunnel?: string;
  /** What was found, as a sentence without a full stop. */
  readonly what: string;
  /** What to do, as a sentence; absent where there is nothing to do. */
  readonly remedy?: string;
}

export function good(code: string, what: string, tunnel?: string): Finding {
  return { code, verdict: "good", ...(tunnel !== undefined && { tunnel }), what };
}

export function fault(code: string, what: string, remedy: string, tunnel?: string): Finding {
  return { code, verdict: "fault", ...(tunnel !== undefined && { tunnel }), what, remedy };
}

export function warning(code: string, what: string, remedy: string, tunnel?: string): Finding {
  return { code, verdict: "warning", ...(tunnel !== undefined && { tunnel }), what, remedy };
}

export function unknown(code: string, what: string, tunnel?: string): Finding {
  return { code, verdict: "unknown", ...(tunnel !== undefined && { tunnel }), what };
}
