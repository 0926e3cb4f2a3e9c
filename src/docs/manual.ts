/** The manual pages, in roff's man macros: causeway(8) from the commands themselves, gateway.yaml(5) from the commented example. */
import type { Argument, Command, Option } from "commander";

/** What stands in the heading of a page. */
export interface Edition {
  readonly version: string;
  /** YYYY-MM-DD. */
  readonly date: string;
}

const STATUS: readonly (readonly [string, string])[] = [
  ["0", "done"],
  ["1", "the answer is no, or it failed; the reason is printed"],
  ["2", "wrong usage, or a wrong configuration"],
];

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["CAUSEWAY_SOCKET", "the daemon's control socket, where --socket is not given"],
  ["CAUSEWAY_VECTORS", "a further folder of test vectors for causeway vectors"],
];

const FILES: readonly (readonly [string, string])[] = [
  ["/etc/causeway/gateway.yaml", "the configuration of the service; see gateway.yaml(5)"],
  ["/run/causeway/control.sock", "the control socket of the service, open for the user and the group causeway"],
];

/** causeway(8): every command that is there, with its arguments and options. */
export function commandManual(program: Command, edition: Edition): string {
  const { commands } = visible(program);
  return [
    ...heading("CAUSEWAY", 8, edition, "causeway", program.description()),
    ".SH SYNOPSIS",
    ...commands.flatMap((command) => [`.B causeway ${roff(command.name())}`, roff(usage(command)), ".br"]),
    ".SH DESCRIPTION",
    roff(
      "One daemon, causeway run, negotiates IKE with the peers of a configuration file and carries traffic through ESP tunnels " +
        "and a TUN device. The other commands talk to it over its control socket, or work on files alone.",
    ),
    ".SH COMMANDS",
    ...commands.flatMap(commandSection),
    ".SH EXIT STATUS",
    ...STATUS.flatMap(tagged),
    ".SH ENVIRONMENT",
    ...ENVIRONMENT.flatMap(tagged),
    ".SH FILES",
    ...FILES.flatMap(tagged),
    ".SH SEE ALSO",
    ".BR gateway.yaml (5)",
    "",
  ].join("\n");
}

/** gateway.yaml(5): the commented example, which `causeway check` accepts. */
export function configurationManual(example: string, edition: Edition): string {
  return [
    ...heading("GATEWAY.YAML", 5, edition, "gateway.yaml", "the configuration of causeway"),
    ".SH DESCRIPTION",
    roff(
      "One YAML file configures a gateway and its tunnels. causeway check prints every error with its line and column, and what is " +
        "allowed there; a JSON Schema for editors is installed beside the documentation. Every key is shown below.",
    ),
    ".SH EXAMPLE",
    ".nf",
    ...example.trimEnd().split("\n").map(roff),
    ".fi",
    ".SH SEE ALSO",
    ".BR causeway (8)",
    "",
  ].join("\n");
}

function heading(title: string, section: number, { version, date }: Edition, name: string, what: string): string[] {
  return [
    `.TH ${title} ${section} "${date}" "causeway ${roff(version)}"`,
    ".SH NAME",
    `${roff(name)} \\- ${roff(what.replace(/^A /, "a "))}`,
  ];
}

function visible(command: Command): { commands: Command[]; options: Option[]; args: readonly Argument[] } {
  const help = command.createHelp();
  return {
    commands: help.visibleCommands(command).filter((one) => one.name() !== "help"),
    options: help.visibleOptions(command),
    args: help.visibleArguments(command),
  };
}

/** As in "[options] <tunnel>". */
function usage(command: Command): string {
  return command.usage();
}

function commandSection(command: Command): string[] {
  const { options, args } = visible(command);
  return [
    `.SS causeway ${roff(`${command.name()} ${usage(command)}`)}`,
    `${roff(command.description())}.`,
    ...args.flatMap((argument) => tagged([argument.name(), argument.description])),
    ...options.flatMap((option) => tagged([option.flags, option.description])),
  ];
}

function tagged([tag, text]: readonly [string, string]): string[] {
  return [".TP", `.B ${roff(tag)}`, roff(text)];
}

/** Text in which nothing is a request or an escape of roff. */
function roff(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("…", "...");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
