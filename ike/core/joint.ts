/**
 * Which mappings may share one SA: those whose local and peer ranges, each with each, are exactly these mappings, and nothing that
 * was not configured (`decisions.md` 16). Of one entry, because that is what the peer is likely to have as one, and of one address
 * family, because not every peer mixes them.
 */
import { formatSelector } from "../../esp/selector.js";
import type { Mapping, TunnelPolicy } from "./policy.js";

/** Selectors of each side in one offer: a payload holds 255, and its message should not need many fragments. */
export const MOST_JOINT_SELECTORS = 128;

/**
 * The mapping, with all that can share its SA among those that `isOpen` lets in, ascending. `isOpen` is asked of the mappings of the
 * same entry alone, and not of the mapping itself.
 */
export function jointWith(
  { mappings, entries }: Pick<TunnelPolicy, "mappings" | "entries">,
  mapping: number,
  isOpen: (mapping: number) => boolean,
): readonly number[] {
  const entry = entries.find(({ first, count }) => mapping >= first && mapping < first + count);
  if (entry === undefined || entry.count === 1) return [mapping];
  const { local, peer } = mappings[mapping]!;
  /** By local range, and there by peer range. */
  const rows = new Map<string, Map<string, number>>();
  for (let i = entry.first; i < entry.first + entry.count; i++) {
    const other = mappings[i]!;
    if (other.local.family !== local.family || (i !== mapping && !isOpen(i))) continue;
    const key = formatSelector(other.local);
    const row = rows.get(key);
    if (row === undefined) rows.set(key, new Map([[formatSelector(other.peer), i]]));
    else row.set(formatSelector(other.peer), i);
  }
  const own = rows.get(formatSelector(local))!;
  const columns = around([...own.keys()], formatSelector(peer));
  const whole = [...rows].filter(([, row]) => columns.every((column) => row.has(column))).map(([key]) => key);
  return around(whole, formatSelector(local))
    .flatMap((key) => columns.map((column) => rows.get(key)!.get(column)!))
    .sort((a, b) => a - b);
}

/** As many as one offer holds, `wanted` among them. */
function around(keys: readonly string[], wanted: string): readonly string[] {
  const from = Math.floor(keys.indexOf(wanted) / MOST_JOINT_SELECTORS) * MOST_JOINT_SELECTORS;
  return keys.slice(from, from + MOST_JOINT_SELECTORS);
}

/** "10.1.0.0/16 <-> 10.2.0.0/16": ours, the peer's. */
export function pairWords({ local, peer }: Mapping): string {
  return `${formatSelector(local)} <-> ${formatSelector(peer)}`;
}

/** "mapping 3 of 7 (10.1.0.0/16 <-> 10.2.0.0/16)", or several. */
export function mappingsInWords({ mappings }: Pick<TunnelPolicy, "mappings">, indices: readonly number[]): string {
  const shown = indices.slice(0, MOST_SHOWN).map((i) => pairWords(mappings[i]!));
  const more = indices.length > MOST_SHOWN ? ` and ${indices.length - MOST_SHOWN} more` : "";
  const which = indices.length === 1 ? `mapping ${indices[0]! + 1}` : `${indices.length} mappings`;
  return `${which} of ${mappings.length} (${shown.join(", ")}${more})`;
}

const MOST_SHOWN = 4;
