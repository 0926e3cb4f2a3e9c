/**
 * What is right in a file that has mistakes: so that all of them can be told at once, also those that only show when
 * parts are held against each other. Keys with a mistake count as left out.
 */
import type { z } from "zod";
import { formatPath, type ValuePath } from "./path.js";
import type { Problem } from "./problem.js";
import {
  defaultsSchema,
  type GatewayBlock,
  gatewaySchema,
  type TunnelBlock,
  type TunnelEntry,
  tunnelSchema,
} from "./schema.js";

export interface Salvaged {
  readonly gateway: GatewayBlock;
  readonly defaults: TunnelBlock;
  /** With the indices of the file; `undefined` where an entry is no block at all. */
  readonly tunnels: readonly (TunnelEntry | undefined)[];
}

export function salvage(value: unknown, problems: readonly Problem[]): Salvaged {
  const root = { top: structuredClone(value) };
  for (const { path } of problems) remove(root, ["top", ...path]);
  const top = isBlock(root.top) ? root.top : {};
  return {
    gateway: parseOr(gatewaySchema, top.gateway, {}),
    defaults: parseOr(defaultsSchema, top.defaults, {}),
    tunnels: Array.isArray(top.tunnels) ? top.tunnels.map(salvageTunnel) : [],
  };
}

function salvageTunnel(value: unknown, index: number): TunnelEntry | undefined {
  if (!isBlock(value)) return undefined;
  const name = "name" in value ? {} : { name: formatPath(["tunnels", index]) };
  return parseOr(tunnelSchema, { ...value, ...name }, undefined);
}

/** Removes the key that the path leads to; inside a list (other than that of the tunnels) the key of the list. */
function remove(root: Record<string, unknown>, path: ValuePath): void {
  let at: unknown = root;
  for (const [i, step] of path.entries()) {
    if (typeof at !== "object" || at === null) return;
    const next = path[i + 1];
    const isTunnelList = i === 1 && step === "tunnels";
    const last = next === undefined || (typeof next === "number" && !isTunnelList);
    if (!last) {
      at = (at as Record<string | number, unknown>)[step];
      continue;
    }
    if (typeof step === "number") (at as unknown[])[step] = undefined;
    else delete (at as Record<string, unknown>)[step];
    return;
  }
}

function isBlock(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseOr<Value, Otherwise>(schema: z.ZodType<Value>, value: unknown, otherwise: Otherwise): Value | Otherwise {
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : otherwise;
}
