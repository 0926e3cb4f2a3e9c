#!/usr/bin/env node
/** The command line: which commands there are, and how every one of them ends. What they do stands in `cli/`. */
import { Command, CommanderError } from "commander";
import { runAction } from "./cli/actions.js";
import { runCheck } from "./cli/check.js";

import { CommandError, EXIT, type ExitStatus } from "./cli/exit.js";
import { runGateway } from "./cli/run.js";
import { showStatus } from "./cli/status.js";
import { runDemo } from "./demo/enclosure.js";
import { packageVersion } from "./version.js";

/** Commands of the contract whose feature is missing: refused by name. */
const NOT_YET = [
  "reload",
  "plan",
  "explain",
  "doctor",
  "probe",
  "export",
  "import",
  "capture",
  "lint",
  "why",
  "bundle",
];

/** Only then: the other commands need no algorithm. */
async function showVectors(suites: readonly string[], json: boolean): Promise<ExitStatus> {
  const { runVectors } = await import("./cli/vectors.js");
  const { done, failed, usage } = EXIT;
  return [done, failed, usage][await runVectors({ suites, json })] ?? failed;
}

let status: ExitStatus = EXIT.done;

/** Keeps what a command ends with. */
function ending<Args extends readonly unknown[]>(run: (...args: Args) => ExitStatus | Promise<ExitStatus>) {
  return async (...args: Args): Promise<void> => {
    status = await run(...args);
  };
}

function buildProgram(): Command {
  const program = new Command("causeway")
    .description("A userspace IPsec gateway")
    .version(packageVersion)
    .exitOverride()
    .showHelpAfterError("(causeway --help lists the commands)");

  program
    .command("run")
    .description("the gateway, in the foreground; SIGTERM deletes the SAs and ends it")
    .requiredOption("-c, --config <file>", "the configuration file")
    .action(ending(({ config }) => runGateway(config)));
  program
    .command("check")
    .description("print every error and warning of a configuration file, and the mappings it would negotiate")
    .argument("<file>", "the configuration file")
    .option("--json", "print JSON")
    .action(ending((file, options) => runCheck(file, options)));
  client(program, "status")
    .description("how every tunnel is, or one of them")
    .argument("[tunnel]", "the name of a tunnel")
    .action(ending((tunnel, options) => showStatus(tunnel, options)));
  client(program, "up")
    .description("bring a tunnel up, wait, and tell the result")
    .argument("<tunnel>", "the name of a tunnel")
    .action(ending((tunnel, options) => runAction("up", tunnel, options)));
  client(program, "down")
    .description("delete a tunnel's SAs at the peer; it stays down until the next up")
    .argument("<tunnel>", "the name of a tunnel")
    .action(ending((tunnel, options) => runAction("down", tunnel, options)));
  client(program, "rekey")
    .description("renew the child SAs of a tunnel")
    .argument("<tunnel>", "the name of a tunnel")
    .option("--ike", "renew the IKE SA instead")
    .action(ending((tunnel, options) => runAction("rekey", tunnel, options)));
  program
    .command("vectors")
    .description("run the published test vectors on this host's cryptography, and print the table")
    .option(
      "--suite <path>",
      "a further folder or file of vectors; can be repeated",
      (path, all: string[]) => [...all, path],
      [],
    )
    .option("--json", "print JSON")
    .action(ending(({ suite, json }) => showVectors(suite, json === true)));
  program
    .command("demo")
    .description("two gateways on this host, in namespaces, and traffic through a tunnel between them")
    .action(ending(() => runDemo()));
  for (const name of NOT_YET)
    program
      .command(name, { hidden: true })
      .allowUnknownOption()
      .helpOption(false)
      .argument("[arguments...]")
      .action(() => {
        throw new CommandError(EXIT.usage, `the command ${name} is not supported yet`);
      });
  return program;
}

/** A command that talks to a running daemon. */
function client(program: Command, name: string): Command {
  return program
    .command(name)
    .option("--socket <path>", "the daemon's control socket (also CAUSEWAY_SOCKET)")
    .option("-c, --config <file>", "the daemon's configuration file, to find its socket")
    .option("--json", "print JSON");
}

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
    await buildProgram().parseAsync();
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
