/** Where a gateway's control socket and its state are, without the rest of its file being valid or its keys readable. */
import { readFileSync } from "node:fs";
import { readDocument } from "./document.js";

export const DEFAULT_CONTROL_SOCKET = "/run/causeway/control.sock";

export interface StatePlaces {
  readonly controlSocket: string;
  readonly stateDir?: string;
}

export function controlSocketOf(file: string): { readonly path: string } | { readonly problem: string } {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return { problem: `cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown reason"})` };
  }
  const { value } = readDocument(text);
  if (value === undefined) return { problem: "is not YAML that can be read; causeway check tells where" };
  return { path: placesIn(value).controlSocket };
}

/** Of the text of a configuration file; the defaults for what it does not say. */
export function statePlaces(text: string): StatePlaces {
  return placesIn(readDocument(text).value);
}

function placesIn(value: unknown): StatePlaces {
  const gateway = child(value, "gateway");
  const path = child(child(gateway, "control"), "socket");
  const stateDir = child(gateway, "state_dir");
  return {
    controlSocket: typeof path === "string" ? path : DEFAULT_CONTROL_SOCKET,
    ...(typeof stateDir === "string" && { stateDir }),
  };
}

function child(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
