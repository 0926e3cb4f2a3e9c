/** `causeway bundle`: everything that somebody needs who is to help, in one file and without a secret. */
import { readFileSync, writeFileSync } from "node:fs";
import { arch, release } from "node:os";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { utf8 } from "../../crypto/bytes.js";
import { redact, redactConfiguration } from "../bundle/redact.js";
import { tar } from "../bundle/tar.js";
import { loadConfiguration } from "../config/load.js";
import { printable } from "../config/problem.js";
import { run } from "../host/command.js";
import { packageVersion } from "../version.js";
import { fetchDiagnosis, fetchHistory, fetchStatus } from "./client.js";
import { checkUp, renderCheckup } from "./doctor.js";
import { CommandError, EXIT, type ExitStatus } from "./exit.js";
import { renderHistory } from "./explain.js";
import { type SocketOptions, socketPath } from "./socket.js";

export interface BundleOptions extends SocketOptions {
  readonly json?: boolean;
  readonly output?: string;
}

/** What the host is asked, by the name of the file. */
const COMMANDS: readonly (readonly [file: string, program: string, args: readonly string[]])[] = [
  ["host/addresses.txt", "ip", ["address", "show"]],
  ["host/links.txt", "ip", ["-statistics", "link", "show"]],
  ["host/rules.txt", "ip", ["rule", "show"]],
  ["host/routes.txt", "ip", ["route", "show", "table", "all"]],
  ["host/routes6.txt", "ip", ["-6", "route", "show", "table", "all"]],
  ["host/packet-filter.txt", "nft", ["list", "ruleset"]],
  ["host/sockets.txt", "ss", ["-ulnp"]],
  ["host/kernel-ipsec.txt", "ip", ["xfrm", "policy"]],
  ["host/sysctl.txt", "sysctl", ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.conf.all.rp_filter"]],
  ["log.txt", "journalctl", ["--unit=causeway", "--lines=2000", "--no-pager"]],
];

export async function runBundle(options: BundleOptions): Promise<ExitStatus> {
  const secrets = secretsOf(options.config);
  const files: { name: string; text: string }[] = [{ name: "versions.json", text: versions() }];
  if (options.config !== undefined)
    files.push({ name: "configuration.json", text: redactConfiguration(readText(options.config)) });
  files.push({ name: "diagnosis.json", text: await told(async () => json(await fetchDiagnosis(socketPath(options)))) });
  files.push(...(await historyFiles(options)));
  files.push(...(await doctorFiles(options)));
  for (const [name, program, args] of COMMANDS) files.push({ name, text: await told(() => outputOf(program, args)) });
  const time = new Date();
  const path = resolve(options.output ?? `causeway-bundle-${time.toISOString().replace(/[-:]|\..*/g, "")}.tar.gz`);
  const archive = gzipSync(
    tar(
      files.map(({ name, text }) => ({ name: `causeway-bundle/${name}`, content: utf8(redact(text, secrets)) })),
      time.getTime() / 1_000,
    ),
  );
  try {
    writeFileSync(path, archive, { mode: 0o600, flag: "wx" });
  } catch (error) {
    throw new CommandError(EXIT.failed, `${path}: ${(error as Error).message}; --output names another file`);
  }
  const names = files.map(({ name }) => name);
  process.stdout.write(
    options.json
      ? json({ file: path, contents: names })
      : `${printable(path)}: ${names.length} files, without keys. Look into it before you give it away: it has addresses and names.\n`,
  );
  return EXIT.done;
}

/** The flight recorder of each tunnel: how it came to what it is. Nothing without a daemon, of which `diagnosis.json` tells. */
async function historyFiles(options: BundleOptions): Promise<{ name: string; text: string }[]> {
  const socket = socketPath(options);
  const status = await fetchStatus(socket).catch(() => undefined);
  const files: { name: string; text: string }[] = [];
  for (const [i, { name }] of (status?.tunnels ?? []).entries()) {
    const file = `why/${String(i + 1).padStart(4, "0")}-${name.replace(/[^\w.-]/g, "-")}.txt`;
    files.push({ name: file, text: await told(async () => renderHistory(await fetchHistory(socket, name))) });
  }
  return files;
}

async function doctorFiles(options: BundleOptions): Promise<{ name: string; text: string }[]> {
  try {
    const checkup = await checkUp(undefined, options);
    return [
      { name: "doctor.txt", text: renderCheckup(checkup) },
      { name: "doctor.json", text: json(checkup) },
    ];
  } catch (error) {
    return [{ name: "doctor.txt", text: `${(error as Error).message}\n` }];
  }
}

function versions(): string {
  const { node, openssl } = process.versions;
  return json({ causeway: packageVersion, node, openssl, kernel: release(), architecture: arch() });
}

/** What cannot be had says why. */
async function told(read: () => Promise<string>): Promise<string> {
  try {
    return await read();
  } catch (error) {
    return `${(error as Error).message}\n`;
  }
}

async function outputOf(program: string, args: readonly string[]): Promise<string> {
  const { output, errors } = await run(program, args);
  return output + errors;
}

/** The keys of the file, wherever they come from: none of them may stand in any text. */
function secretsOf(file: string | undefined): readonly Uint8Array[] {
  if (file === undefined) return [];
  const loaded = loadConfiguration(file);
  return "errors" in loaded ? [] : [...loaded.configuration.psk.values()].map((psk) => psk.reveal());
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    return `# ${(error as Error).message}\n`;
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
