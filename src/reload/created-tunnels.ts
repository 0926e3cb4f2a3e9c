/**
 * The tunnels that were created through the API: one JSON file in `gateway.state_dir`, in the words of the configuration file, so that they
 * are there after a restart. Each has a revision, which no other state of it ever had.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FurtherTunnels } from "../config/further-tunnels.js";
import { writeDurably } from "../durable-file.js";
import { HostError } from "../host/command.js";

/** A tunnel as the configuration file would have it. */
export type TunnelWords = Readonly<Record<string, unknown>> & { readonly name: string };

export interface CreatedTunnels {
  readonly revision: number;
  readonly tunnels: readonly TunnelWords[];
  /** By name. */
  readonly revisions: Readonly<Record<string, number>>;
}

export const NONE_CREATED: CreatedTunnels = { revision: 0, tunnels: [], revisions: {} };

export function createdPath(stateDir: string): string {
  return join(stateDir, "tunnels.json");
}

/** Throws `HostError` when the file is there and cannot be used: tunnels must not vanish in silence. */
export function readCreated(stateDir: string | undefined): CreatedTunnels {
  if (stateDir === undefined) return NONE_CREATED;
  const path = createdPath(stateDir);
  try {
    const value = JSON.parse(readFileSync(path, "utf8")) as Partial<CreatedTunnels>;
    const { revision, tunnels, revisions } = value;
    if (typeof revision === "number" && Array.isArray(tunnels) && typeof revisions === "object")
      return { revision, tunnels, revisions };
    throw new Error("it has not the form that this version writes");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return NONE_CREATED;
    throw new HostError(
      `the tunnels that were created through the API cannot be read from ${path}: ${(error as Error).message}`,
    );
  }
}

export function writeCreated(stateDir: string, created: CreatedTunnels): Promise<void> {
  return writeDurably(createdPath(stateDir), textOf(created));
}

/** For `readConfiguration`; undefined: there is none. */
export function furtherTunnels(stateDir: string | undefined, created: CreatedTunnels): FurtherTunnels | undefined {
  if (stateDir === undefined || created.tunnels.length === 0) return undefined;
  return { file: createdPath(stateDir), text: textOf(created) };
}

/** With this tunnel, in the place of the one of that name or behind the others. */
export function withTunnel({ revision, tunnels, revisions }: CreatedTunnels, tunnel: TunnelWords): CreatedTunnels {
  const next = revision + 1;
  const known = tunnels.some(({ name }) => name === tunnel.name);
  return {
    revision: next,
    tunnels: known ? tunnels.map((each) => (each.name === tunnel.name ? tunnel : each)) : [...tunnels, tunnel],
    revisions: { ...revisions, [tunnel.name]: next },
  };
}

export function withoutTunnel({ revision, tunnels, revisions }: CreatedTunnels, name: string): CreatedTunnels {
  const { [name]: _, ...kept } = revisions;
  return { revision: revision + 1, tunnels: tunnels.filter((each) => each.name !== name), revisions: kept };
}

function textOf(created: CreatedTunnels): string {
  return `${JSON.stringify(created, null, 2)}\n`;
}
