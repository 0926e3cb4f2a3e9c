/** The way to a peer that is asked: each question at the pace of the probe, repeated only when nothing comes. */
import type { Random } from "../../crypto/interfaces.js";
import { vendorName } from "../../ike/core/vendor-ids.js";
import type { FirstAnswer } from "../../ike/probe/first-message.js";
import { type End, exchange, type Pace } from "./exchange.js";

export interface ProbePorts {
  readonly random: Random;
  /** Told to somebody who waits. */
  readonly progress: (sentence: string) => void;
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
}

export interface Line {
  readonly end: End;
  readonly ports: ProbePorts;
  /** Counts what leaves. */
  readonly pace: Pace;
  /** Names of vendors and extensions, as the peer announces them. */
  readonly vendors: Set<string>;
}

/** The peer has stopped answering what it answered before. */
export class Deaf extends Error {}

const PATIENCE = 1_000;
const TRIES = 3;

/** Throws `Deaf` when nothing comes. */
export async function askAgain({ end, pace, vendors }: Line, message: Uint8Array, spi: bigint): Promise<FirstAnswer> {
  for (let i = 0; i < TRIES; i++) {
    await pace();
    const heard = await exchange(end, message, spi, PATIENCE);
    if (heard === undefined || typeof heard === "string") continue;
    if ("vendorIds" in heard) for (const id of heard.vendorIds) vendors.add(vendorName(id));
    return heard;
  }
  throw new Deaf();
}

/** What one version of IKE came to. */
export interface Asked<Accepted> {
  /** "silent": nothing answers; "refused": it answers, and accepts nothing of what we know. */
  readonly verdict: "accepted" | "refused" | "silent";
  readonly accepted?: Accepted;
  /** Why it ended before its time. */
  readonly note?: string;
}

/** Puts the questions of a generator until it knows, or the peer is deaf. */
export async function putAll<Question, Verdict, Accepted>(
  questions: Generator<Question, Accepted | undefined, Verdict>,
  put: (question: Question) => Promise<Verdict>,
): Promise<Asked<Accepted>> {
  let heard = false;
  try {
    for (let next = questions.next(); ; ) {
      if (next.done)
        return next.value === undefined ? { verdict: "refused" } : { verdict: "accepted", accepted: next.value };
      const verdict = await put(next.value);
      heard = true;
      next = questions.next(verdict);
    }
  } catch (error) {
    if (!(error instanceof Deaf)) throw error;
    return heard ? { verdict: "silent", note: SHUT_OUT } : { verdict: "silent" };
  }
}

const SHUT_OUT =
  "the peer answered at first, and does not any more: it may have shut us out for a while; try again with a lower --rate";
