/** `defaults` and `profile`: every tunnel inherits what it does not say itself, key by key inside `ike`, `esp` and `dpd`. */
import type { SourceDocument } from "./document.js";
import type { ValuePath } from "./path.js";
import { profileBlock } from "./profile-block.js";
import type { TunnelBlock, TunnelEntry } from "./schema.js";

/** One tunnel after inheritance, and where each of its values is written. */
export interface InheritedTunnel {
  readonly name: string;
  readonly path: ValuePath;
  readonly block: TunnelBlock;
  /** The place of a key: in the tunnel, else in `defaults`, else where it is missing in the tunnel. */
  where(...keys: ValuePath): ValuePath;
  /** Whether the tunnel itself says it. */
  says(...keys: ValuePath): boolean;
  /** Written, but with a mistake that has been told already: `block` lacks it, and nothing follows from that. */
  garbled(...keys: ValuePath): boolean;
}

export function inherit(
  tunnel: TunnelEntry,
  index: number,
  defaults: TunnelBlock,
  source: SourceDocument,
): InheritedTunnel {
  const path: ValuePath = ["tunnels", index];
  const says = (...keys: ValuePath) => source.has([...path, ...keys]);
  const { name, ...own } = tunnel;
  const said = merge(defaults, own);
  const block = said.profile === undefined ? said : merge(profileBlock(said.profile, saidOf(said)), said);
  const where = (...keys: ValuePath): ValuePath => {
    const inDefaults: ValuePath = ["defaults", ...keys];
    return says(...keys) || !source.has(inDefaults) ? [...path, ...keys] : inDefaults;
  };
  const garbled = (...keys: ValuePath) => source.has(where(...keys)) && !hasValue(block, keys);
  return { name, path, block, says, where, garbled };
}

/** What the file says that a profile depends on. */
function saidOf({ ike, legacy }: TunnelBlock): Parameters<typeof profileBlock>[1] {
  return {
    ...(ike?.version !== undefined && { version: ike.version }),
    aggressive: ike?.exchange === "aggressive",
    legacy: legacy === true,
  };
}

function hasValue(block: TunnelBlock, keys: ValuePath): boolean {
  let at: unknown = block;
  for (const key of keys) {
    if (typeof at !== "object" || at === null) return false;
    at = (at as Record<string | number, unknown>)[key];
  }
  return at !== undefined;
}

function merge(defaults: TunnelBlock, own: TunnelBlock): TunnelBlock {
  const merged: TunnelBlock = { ...defaults, ...own };
  if (defaults.ike && own.ike) merged.ike = { ...defaults.ike, ...own.ike };
  if (defaults.esp && own.esp) merged.esp = { ...defaults.esp, ...own.esp };
  if (typeof defaults.dpd === "object" && typeof own.dpd === "object") merged.dpd = { ...defaults.dpd, ...own.dpd };
  return merged;
}
