/**
 * The daemon: puts the parts together in their order, keeps them together, and takes them apart again.
 */
import type { Configuration } from "./config/model.js";

/** Runs the gateway until a signal ends it, and resolves with the exit status: 0 after an orderly end, 1 when it could not start or go on. */
export async function runDaemon(_configuration: Configuration): Promise<number> {
  return 1;
}
