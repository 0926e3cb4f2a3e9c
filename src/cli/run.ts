/** `causeway run`: the daemon, in the foreground. */
import { tuneEngine } from "../engine.js";
import { HostError } from "../host/command.js";
import { loadStart } from "../reload/start.js";
import { CommandError, EXIT, type ExitStatus } from "./exit.js";

/** Resolves when the daemon has ended. */
export async function runGateway(file: string): Promise<ExitStatus> {
  tuneEngine();
  const started = load(file);
  if ("errors" in started) {
    for (const error of started.errors) process.stderr.write(`${error.message}\n`);
    return EXIT.usage;
  }
  // Only here: the other commands need neither the data plane nor its native libraries.
  const { runDaemon } = await import("../daemon.js");
  return (await runDaemon(started)) === 0 ? EXIT.done : EXIT.failed;
}

function load(file: string): ReturnType<typeof loadStart> {
  try {
    return loadStart(file);
  } catch (error) {
    if (error instanceof HostError) throw new CommandError(EXIT.failed, error.message);
    throw error;
  }
}
