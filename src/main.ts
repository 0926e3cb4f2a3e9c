#!/usr/bin/env node
/** The entry of every command, and how every one of them ends. */
import { CommanderError } from "commander";
import { CommandError, EXIT, type ExitStatus } from "./cli/exit.js";
import { buildProgram } from "./cli/program.js";

let status: ExitStatus = EXIT.done;

/** A reader that has seen enough (`causeway status | head`) is no failure. */
function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(status);
    throw error;
  });
}

async function main(): Promise<void> {
  const isDaemon = process.argv[2] === "run";
  if (!isDaemon) endWithReader();
  try {
    await buildProgram((ended) => {
      status = ended;
    }).parseAsync();
  } catch (error) {
    // commander has printed what it has to say; help and version end well, all else was wrong usage.
    if (error instanceof CommanderError) status = error.exitCode === 0 ? EXIT.done : EXIT.usage;
    else if (error instanceof CommandError) {
      process.stderr.write(`causeway: ${error.message}\n`);
      status = error.status;
    } else throw error;
  }
  process.exitCode = status;
  // Whatever the daemon's libraries still hold open, its end is its end.
  if (isDaemon) process.exit();
}

await main();
