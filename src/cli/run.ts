/** `causeway run`: the daemon, in the foreground. */
import { loadConfiguration } from "../config/load.js";
import { EXIT, type ExitStatus } from "./exit.js";

/** Resolves when the daemon has ended. */
export async function runGateway(file: string): Promise<ExitStatus> {
  const loaded = loadConfiguration(file);
  if ("errors" in loaded) {
    for (const error of loaded.errors) process.stderr.write(`${error.message}\n`);
    return EXIT.usage;
  }
  // Only here: the other commands need neither the data plane nor its native libraries.
  const { runDaemon } = await import("../daemon.js");
  return (await runDaemon(loaded.configuration)) === 0 ? EXIT.done : EXIT.failed;
}
