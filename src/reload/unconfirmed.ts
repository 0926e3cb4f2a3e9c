/**
 * The record of a configuration that was applied and is not confirmed: the one that was confirmed last, kept on the disk before the
 * new one is applied. Whatever ends the daemon then, its next start finds the record, and uses the configuration in it
 * for as long as the file still holds the text that nobody confirmed.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { removeDurably, writeDurably } from "../durable-file.js";

export interface Unconfirmed {
  /** Of the text that nobody has confirmed: SHA-256 in hex. */
  readonly sha256: string;
  /** The file as it was when it was confirmed last. */
  readonly confirmed: string;
}

/** Where the record of a gateway stands: beside its other state, else beside its control socket. */
export function recordPath(gateway: { readonly controlSocket: string; readonly stateDir?: string }): string {
  const { controlSocket, stateDir = dirname(controlSocket) } = gateway;
  return join(stateDir, `${basename(controlSocket)}.unconfirmed`);
}

export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Undefined: everything is confirmed. Throws when there is a record that cannot be read. */
export function readRecord(path: string): Unconfirmed | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const { sha256, confirmed } = JSON.parse(text) as Partial<Unconfirmed>;
  if (typeof sha256 !== "string" || typeof confirmed !== "string")
    throw new Error(`${path} is not the record of a configuration: remove it`);
  return { sha256, confirmed };
}

export function writeRecord(path: string, record: Unconfirmed): Promise<void> {
  return writeDurably(path, `${JSON.stringify(record)}\n`);
}

export function removeRecord(path: string): Promise<void> {
  return removeDurably(path);
}
