/** `defaults`: every tunnel inherits what it does not say itself, key by key inside `ike`, `esp` and `dpd`. */
import type { SourceDocument } from "./document.js";
import type { ValuePath } from "./path.js";
import type { TunnelBlock } from "./schema.js";

/** One tunnel after inheritance, and where each of its values is written. */
export interface InheritedTunnel {
  readonly name: string;
  readonly path: ValuePath;
  readonly block: TunnelBlock;
  /** The place of a key: in the tunnel, else in `defaults`, else where it is missing in the tunnel. */
  where(...keys: ValuePath): ValuePath;
  /** Whether the tunnel itself says it. */
  says(...keys: ValuePath): boolean;
}

export function inherit(
  tunnel: TunnelBlock & { readonly name: string },
  index: number,
  defaults: TunnelBlock | undefined,
  source: SourceDocument,
): InheritedTunnel {
  const path: ValuePath = ["tunnels", index];
  const says = (...keys: ValuePath) => source.has([...path, ...keys]);
  const { name, ...own } = tunnel;
  return {
    name,
    path,
    block: merge(defaults ?? {}, own),
    says,
    where: (...keys) => {
      const inDefaults: ValuePath = ["defaults", ...keys];
      return says(...keys) || !source.has(inDefaults) ? [...path, ...keys] : inDefaults;
    },
  };
}

function merge(defaults: TunnelBlock, own: TunnelBlock): TunnelBlock {
  const merged: TunnelBlock = { ...defaults, ...own };
  if (defaults.ike && own.ike) merged.ike = { ...defaults.ike, ...own.ike };
  if (defaults.esp && own.esp) merged.esp = { ...defaults.esp, ...own.esp };
  if (typeof defaults.dpd === "object" && typeof own.dpd === "object") merged.dpd = { ...defaults.dpd, ...own.dpd };
  return merged;
}
