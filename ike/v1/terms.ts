/** Lifetimes between our configuration, which counts octets, and IKEv1, which counts units of 1024. */
import type { Role } from "../core/context.js";
import type { SaidAll } from "../core/evidence.js";
import { lifetimeWords } from "../core/our-values.js";
import type { TunnelPolicy } from "../core/policy.js";
import { type Lifetimes, shorter } from "./lifetimes.js";

/** What counts on both sides. */
export interface Limits {
  readonly lifetimeSeconds: number;
  /** 0: no limit. */
  readonly volumeOctets: number;
}

export function phase1Lifetimes({ ike }: TunnelPolicy): Lifetimes {
  return lifetimes(ike.lifetimeSeconds, ike.volumeOctets);
}

export function phase2Lifetimes({ esp }: TunnelPolicy): Lifetimes {
  return lifetimes(esp.lifetimeSeconds, esp.volumeOctets);
}

function lifetimes(seconds: number, volumeOctets: number | undefined): Lifetimes {
  return { seconds, ...(volumeOctets && { kilobytes: Math.max(1, Math.floor(volumeOctets / 1024)) }) };
}

/** Of both sides the shorter. */
export function limitsOf(theirs: Lifetimes, ours: Lifetimes): Limits {
  const { seconds, kilobytes } = shorter(theirs, ours);
  return { lifetimeSeconds: seconds!, volumeOctets: (kilobytes ?? 0) * 1024 };
}

/** Whether ours end an SA before the peer would. */
export function isShorter(ours: Lifetimes, theirs: Lifetimes): boolean {
  const less = (a: number | undefined, b: number | undefined) => a !== undefined && (b === undefined || a < b);
  return less(ours.seconds, theirs.seconds) || less(ours.kilobytes, theirs.kilobytes);
}

/** For the log, where both sides say different things; undefined where they agree. */
export function lifetimeStory(theirs: Lifetimes, ours: Lifetimes): string | undefined {
  if (theirs.seconds === ours.seconds && theirs.kilobytes === ours.kilobytes) return undefined;
  return `the lifetimes differ, the shorter counts: theirs ${words(theirs)}, ours ${words(ours)}`;
}

/** For the evidence: a responder repeats what we offered, so that as initiator a lifetime that is equal says nothing. */
export function lifetimeSaid(theirs: Lifetimes, ours: Lifetimes, role: Role): SaidAll {
  const told = listWords(theirs);
  const verdict = theirs.seconds === ours.seconds && theirs.kilobytes === ours.kilobytes ? "equal" : "different";
  if (role === "initiator" && verdict === "equal") return {};
  return { lifetime: { theirs: told, ours: listWords(ours), verdict } };
}

function listWords({ seconds, kilobytes }: Lifetimes): readonly string[] {
  return lifetimeWords(seconds, (kilobytes ?? 0) * 1024);
}

function words({ seconds, kilobytes }: Lifetimes): string {
  const said = [
    ...(seconds === undefined ? [] : [`${seconds} s`]),
    ...(kilobytes === undefined ? [] : [`${kilobytes} KB`]),
  ];
  return said.join(" and ") || "none";
}
