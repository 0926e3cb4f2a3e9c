/** Where a gateway's control socket is, without the rest of its file being valid or its keys readable. */
import { readFileSync } from "node:fs";
import { readDocument } from "./document.js";

export const DEFAULT_CONTROL_SOCKET = "/run/causeway/control.sock";

export function controlSocketOf(file: string): { readonly path: string } | { readonly problem: string } {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return { problem: `cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown reason"})` };
  }
  const { value } = readDocument(text);
  if (value === undefined) return { problem: "is not YAML that can be read; causeway check tells where" };
  const path = child(child(child(value, "gateway"), "control"), "socket");
  return { path: typeof path === "string" ? path : DEFAULT_CONTROL_SOCKET };
}

function child(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
