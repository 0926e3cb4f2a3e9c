/** The command line: which commands there are and what each takes. What they do stands in the modules beside this one. */
import { Command } from "commander";
import { runDemo } from "../demo/enclosure.js";
import { PRODUCTS } from "../exchange-formats/products.js";
import { KINDS } from "../exchange-formats/read-file.js";
import { packageVersion } from "../version.js";
import { runAction } from "./actions.js";
import { runBundle } from "./bundle.js";
import { runCapture } from "./capture.js";
import { runCheck } from "./check.js";
import { runDoctor } from "./doctor.js";
import { EXIT, type ExitStatus } from "./exit.js";
import { showExplanation, showHistory } from "./explain.js";
import { runExport } from "./export.js";
import { runImport } from "./import.js";
import { runLint } from "./lint.js";
import { runProbe } from "./probe.js";
import { runReload, showPlan } from "./reload.js";
import { runGateway } from "./run.js";
import { showStatus } from "./status.js";

/** Only then: the other commands need no algorithm. */
async function showVectors(suites: readonly string[], json: boolean): Promise<ExitStatus> {
  const { runVectors } = await import("./vectors.js");
  const { done, failed, usage } = EXIT;
  return [done, failed, usage][await runVectors({ suites, json })] ?? failed;
}

/** What the service runs with (packaging/causeway.service). */
const SERVICE_FILE = "/etc/causeway/gateway.yaml";

/** `keep` is told what a command ends with. */
export function buildProgram(keep: (status: ExitStatus) => void): Command {
  const ending =
    <Args extends readonly unknown[]>(run: (...args: Args) => ExitStatus | Promise<ExitStatus>) =>
    async (...args: Args): Promise<void> =>
      keep(await run(...args));
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
    .option("--strict", "also name what is allowed and may not be meant; exit 1 when there is any warning")
    .option("--json", "print JSON")
    .action(ending((file, options) => runCheck(file, options)));
  client(program, "status")
    .description("how every tunnel is, or one of them")
    .argument("[tunnel]", "the name of a tunnel")
    .action(ending((tunnel, options) => showStatus(tunnel, options)));
  client(program, "explain")
    .description("why a tunnel is up or down, attribute by attribute: theirs, ours, the fix on either side")
    .argument("<tunnel>", "the name of a tunnel")
    .option("--probe", "also ask the peer what it accepts, one attribute after the other; needs -c")
    .action(ending((tunnel, options) => showExplanation(tunnel, options)));
  client(program, "why")
    .description("the last events that led to a tunnel's present state")
    .argument("<tunnel>", "the name of a tunnel")
    .action(ending((tunnel, options) => showHistory(tunnel, options)));
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
  client(program, "bundle")
    .description("write a support archive without keys: configuration, status, what the doctor says, host, versions")
    .option("--output <file>", "where to; a new file in this folder")
    .action(ending((options) => runBundle(options)));
  program
    .command("probe")
    .description("learn what a peer accepts, and print a tunnel for it")
    .argument("<address>", "the peer's address or name")
    .option("--port <n>", "the peer's UDP port (500)")
    .option("--ike <version>", "1 or 2 alone; otherwise both are asked")
    .option("--address <address>", "our own address to ask from; otherwise by route")
    .option("--rate <n>", "packets a second (5)")
    .option(
      "--esp",
      "also learn algorithms of ESP: calls the peer as the printed tunnel, whose place at the peer it takes",
    )
    .option("--psk-file <file>", "for the printed tunnel: the file of its key")
    .option("--local <network>", "for the printed tunnel: our network")
    .option("--remote <network>", "for the printed tunnel: the peer's network")
    .option("--local-id <id>", "for the printed tunnel: who we are")
    .option("--peer-id <id>", "for the printed tunnel: who the peer is")
    .option("--json", "print JSON")
    .action(ending((address, options) => runProbe(address, options)));
  client(program, "capture")
    .description("record a tunnel, and write packets and keys for Wireshark into a folder of their own")
    .argument("<tunnel>", "the name of a tunnel")
    .option("--seconds <n>", "how long, 1 to 600 (30)")
    .option("--output <folder>", "where to; a new folder in this one")
    .option(
      "--no-renew",
      "leave the SAs as they are: packets of child SAs that are older than the recording stay closed",
    )
    .action(ending((tunnel, options) => runCapture(tunnel, options)));
  client(program, "doctor")
    .description("look at this host, the way to the peers and the packets of the tunnels, and say what is wrong")
    .argument("[tunnel]", "the name of a tunnel")
    .option(
      "--target <address>",
      "whom to ask for an echo through the tunnel; otherwise the first host of each peer range",
    )
    .action(ending((tunnel, options) => runDoctor(tunnel, options)));
  client(program, "plan")
    .description("what a configuration file would change in the running gateway, tunnel by tunnel")
    .argument("<file>", "the configuration file")
    .action(ending((file, options) => showPlan(file, options)));
  client(program, "reload")
    .description("apply the changed configuration file; what is the same stays as it is")
    .option("--confirm [duration]", "apply it on trial for that long (60s); without a duration: confirm it")
    .action(ending((options) => runReload(options)));
  program
    .command("export")
    .description("write the configuration of a tunnel's other end, for another product")
    .argument("<tunnel>", "the name of a tunnel")
    .option("-c, --config <file>", "the configuration file", SERVICE_FILE)
    .requiredOption("--for <product>", `one of ${Object.keys(PRODUCTS).join(", ")}`)
    .option(
      "--address <address>",
      "the address of this gateway as the peer sees it, where the configuration does not say",
    )
    .option("--with-secrets", "write the key as well, and no placeholder")
    .option("--common", "leave out the alternatives that the product lacks, where others remain")
    .option("--out <folder>", "write the files there, mode 0600, and print their names")
    .option("--json", "print JSON")
    .action(ending((tunnel, options) => runExport(tunnel, options)));
  program
    .command("import")
    .description("print a configuration made from another product's file, with notes for what could not be taken over")
    .argument("<file>", "the peer's configuration file, or a cloud's download")
    .option("--kind <kind>", `one of ${KINDS.join(", ")}; default: what the file looks like`)
    .option("--own", "the file is of this side, which causeway replaces: nothing is mirrored")
    .option("--secrets <file>", "the ipsec.secrets beside an ipsec.conf")
    .option("--with-secrets", "print the keys in the configuration, and no names of files")
    .option("--local <range>", "our ranges, where the file names none; can be repeated", more, [])
    .option("--peer <range>", "the peer's ranges", more, [])
    .option("--tunnel <name>", "only this tunnel of the file, by its name or its number")
    .option("--keys <folder>", "write the keys into files there, mode 0600")
    .option("--json", "print JSON")
    .action(ending((file, options) => runImport(file, options)));
  program
    .command("lint")
    .description("will two ends connect? Compare two configurations, ours or other products', attribute by attribute")
    .argument("<file>", "a configuration: ours, or a file that import knows")
    .argument("<other>", "that of the other end")
    .option("--tunnel <name>", "only this tunnel of the first file")
    .option("--kind-a <kind>", `of the first file, one of ${KINDS.join(", ")}; default: what it looks like`)
    .option("--kind-b <kind>", "of the second one")
    .option("--secrets-a <file>", "the ipsec.secrets beside the first file")
    .option("--secrets-b <file>", "the one beside the second")
    .option("--json", "print JSON")
    .action(ending((file, other, options) => runLint(file, other, options)));
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
  return program;
}

/** A further value of an option that can be repeated. */
function more(value: string, all: readonly string[]): readonly string[] {
  return [...all, value];
}

/** A command that talks to a running daemon. */
function client(program: Command, name: string): Command {
  return program
    .command(name)
    .option("--socket <path>", "the daemon's control socket (also CAUSEWAY_SOCKET)")
    .option("-c, --config <file>", "the daemon's configuration file, to find its socket")
    .option("--json", "print JSON");
}
