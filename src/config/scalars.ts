/**
 * The kinds of values that the configuration has, as zod schemas. Every one of them says in its own words what is
 * allowed; `issues.ts` puts what was found in front of it. What a schema accepts before its transform is also what the
 * JSON Schema for editors accepts.
 */
import { z } from "zod";
import { type Address, type Prefix, parseAddress, parsePrefix } from "../../esp/address.js";

/** The start of every message about a key or value of the contract whose feature is missing. */
export const NOT_YET = "not supported yet";

/** The text that follows what was found. */
const saying = (message: string) => ({ error: () => message });

/** A strict block of keys, each of them optional unless it says otherwise. */
export function block<Shape extends z.core.$ZodLooseShape>(what: string, shape: Shape) {
  return z.strictObject(shape, saying(`allowed: ${what}, a block of keys (${Object.keys(shape).join(", ")})`));
}

export function list<Item extends z.ZodType>(what: string, item: Item, fewest = 1) {
  const message = `allowed: a list of ${what}${fewest > 0 ? ", at least one" : ""}`;
  return z.array(item, saying(message)).min(fewest, saying(message));
}

export function choice<const Word extends string>(words: readonly Word[], later: readonly string[] = []) {
  return z.enum(words, {
    error: ({ input }) =>
      later.includes(String(input))
        ? `${NOT_YET}; allowed: ${words.join(" | ")}`
        : `allowed: ${[...words, ...later.map((word) => `${word} (${NOT_YET})`)].join(" | ")}`,
  });
}

/** "off", which YAML 1.1 tools write as `false`. */
export function off() {
  return z.union([z.literal("off"), z.literal(false)], saying("allowed: off")).transform(() => "off" as const);
}

export function flag() {
  return z.boolean(saying("allowed: true | false"));
}

export function integer(least: number, most: number) {
  const message = saying(`allowed: a whole number from ${least} to ${most}`);
  return z.int(message).min(least, message).max(most, message);
}

/** Text of a bounded length, in characters as people count them; no control characters, no blanks around it. */
export function text(what: string, longest: number) {
  const message = saying(`allowed: ${what}, text of 1 to ${longest} characters (quote it if it looks like a number)`);
  return z
    .string(message)
    .min(1, message)
    .regex(/^\S(?:.*\S)?$/su, message)
    .regex(/^\P{Cc}*$/u, message)
    .refine((value) => [...value].length <= longest, message);
}

const SECONDS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86400 };

/** `90s 15m 1h 7d` or plain seconds; gives seconds. */
export function duration(least: number, most: number) {
  const bounds = `from ${formatDuration(least)} to ${formatDuration(most)}`;
  const message = `allowed: a duration such as 90s, 15m, 1h, 7d or plain seconds, ${bounds}`;
  return z
    .union([z.int(saying(message)), z.string(saying(message)).regex(/^\d+[smhd]?$/, saying(message))], saying(message))
    .transform((value, context) => quantity(value, SECONDS, least, most, message, context));
}

/** The shortest exact spelling: 3600 is "1h". */
export function formatDuration(seconds: number): string {
  for (const unit of ["d", "h", "m"])
    if (seconds > 0 && seconds % SECONDS[unit]! === 0) return `${seconds / SECONDS[unit]!}${unit}`;
  return `${seconds}s`;
}

const OCTETS: Readonly<Record<string, number>> = { "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** The shortest exact spelling: 1887436800 is "1800MiB". */
export function formatSize(octets: number): string {
  for (const unit of ["GiB", "MiB", "KiB"])
    if (octets > 0 && octets % OCTETS[unit]! === 0) return `${octets / OCTETS[unit]!}${unit}`;
  return `${octets} octets`;
}

/** `KiB MiB GiB` or plain octets; gives octets. */
export function size(least: number) {
  const message = `allowed: a size such as 1800MiB, 4GiB, 2560KiB or plain octets, at least ${least / 2 ** 10}KiB, or off`;
  return z
    .union(
      [z.int(saying(message)), z.string(saying(message)).regex(/^\d+(?:KiB|MiB|GiB)?$/, saying(message))],
      saying(message),
    )
    .transform((value, context) => quantity(value, OCTETS, least, Number.MAX_SAFE_INTEGER, message, context));
}

function quantity(
  value: string | number,
  units: Readonly<Record<string, number>>,
  least: number,
  most: number,
  message: string,
  context: z.core.$RefinementCtx,
): number {
  const [, digits = "", unit = ""] = /^(-?\d+)(\D*)$/.exec(String(value)) ?? [];
  const amount = Number(digits) * (units[unit] ?? Number.NaN);
  if (amount >= least && amount <= most) return amount;
  context.addIssue({ code: "custom", message });
  return z.NEVER;
}

export function address() {
  return parsed("allowed: an IP address (192.0.2.1, 2001:db8::1)", (value): Address => parseAddress(value));
}

/** An address range with its length; a bare address is one host. */
export function prefix() {
  return parsed(
    "allowed: an address range (10.0.1.0/24, 2001:db8:1::/48), or one address",
    (value): Prefix => parsePrefix(value),
  );
}

/** A string that `read` understands; what it throws is for the operator. */
export function parsed<Value>(allowed: string, read: (value: string) => Value) {
  return z.string(saying(allowed)).transform((value, context) => {
    try {
      return read(value);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      context.addIssue({ code: "custom", message: `${error.message}; ${allowed}` });
      return z.NEVER;
    }
  });
}

/** A key of the contract whose feature is missing: refused by name. */
export function notYet(what: string) {
  const message = `${NOT_YET} (${what}): leave it out`;
  return z.never(saying(message)).meta({ description: message });
}

/** Likewise, but the values that ask for nothing are accepted. */
export function inertOnly<const Inert extends readonly [string | number | boolean, ...(string | number | boolean)[]]>(
  what: string,
  ...inert: Inert
) {
  const message = `${NOT_YET} (${what}); allowed: ${inert[0]}, or leave it out`;
  return z.literal(inert, saying(message)).meta({ description: message });
}

/** Likewise for lists: the empty one is accepted. */
export function emptyOnly(what: string) {
  const message = `${NOT_YET} (${what}); allowed: [], or leave it out`;
  return z.array(z.unknown(), saying(message)).max(0, saying(message)).meta({ description: message });
}
