/** `causeway import`: our configuration from another product's file. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readConfiguration } from "../config/load.js";
import type { Warning } from "../config/model.js";
import { printable } from "../config/problem.js";
import { type Connection, mirrored } from "../exchange-formats/connection.js";
import type { Note } from "../exchange-formats/notes.js";
import { selectorOfWords } from "../exchange-formats/peer-words.js";
import type { Readout } from "../exchange-formats/readout.js";
import { pairs } from "../exchange-formats/swanctl-reader.js";
import { configurationText, keyFile, keyInFile, keyInText, withOwnNames } from "../exchange-formats/tunnel-yaml.js";
import { withinVersion } from "../exchange-formats/version-1.js";
import { CommandError, EXIT, type ExitStatus } from "./exit.js";
import { readForeignFile, readText } from "./foreign-file.js";
import { invitingHost } from "./stand-in-host.js";

export interface ImportFlags {
  readonly kind?: string;
  readonly own?: boolean;
  readonly secrets?: string;
  readonly withSecrets?: boolean;
  readonly keys?: string;
  readonly local?: readonly string[];
  readonly peer?: readonly string[];
  readonly tunnel?: string;
  readonly json?: boolean;
}

interface Finding {
  readonly path: string;
  readonly message: string;
}

export function runImport(file: string, flags: ImportFlags): ExitStatus {
  const secrets = flags.secrets === undefined ? undefined : readText(flags.secrets);
  const readout = chosen(
    withRanges(readForeignFile(file, readText(file), flags.kind, secrets), file, flags),
    file,
    flags,
  );
  const { text, errors, warnings, connections, more } = imported(readout, flags);
  const keyless = connections.filter(({ psk }) => psk === undefined);
  const notes = [
    ...readout.notes,
    ...more.map((message) => ({ line: 0, message })),
    ...keyless.map(({ name }) => ({
      line: 0,
      message: `no key for tunnel ${name} was found: it belongs into ${keyFile(name)}`,
    })),
  ];
  if (connections.length === 0)
    return tell(file, { text: "", notes, errors: [], warnings: [], kind: readout.kind }, flags, EXIT.failed);
  if (flags.keys !== undefined && errors.length === 0) writeKeys(flags.keys, connections);
  const status = errors.length > 0 ? EXIT.failed : EXIT.done;
  return tell(file, { text, notes, errors, warnings, kind: readout.kind }, flags, status);
}

/** A cloud's download may name no ranges: then the operator does. */
function withRanges(readout: Readout, file: string, { local = [], peer = [], own }: ImportFlags): Readout {
  if (local.length === 0 && peer.length === 0) {
    if (readout.connections.length === 0 || readout.connections.some(({ mappings }) => mappings.length > 0))
      return readout;
    throw new CommandError(
      EXIT.usage,
      `${file} names no address ranges; name them: --local 10.1.0.0/16 --peer 10.2.0.0/16 (both can be repeated)`,
    );
  }
  const read = (word: string) => {
    const selector = selectorOfWords(word, undefined);
    if (selector === undefined)
      throw new CommandError(EXIT.usage, `found "${printable(word)}"; allowed: an address range such as 10.1.0.0/16`);
    return selector;
  };
  const mappings = pairs(local.map(read), peer.map(read));
  if (mappings.length === 0)
    throw new CommandError(EXIT.usage, "--local and --peer belong together, with ranges of one address family");
  // Named from our side, whichever side the file describes.
  const turned =
    readout.describes === "the customer" || own === true
      ? mappings
      : mappings.map((each) => ({ local: each.peer, peer: each.local }));
  return { ...readout, connections: readout.connections.map((each) => ({ ...each, mappings: turned })) };
}

/** Of several tunnels with the same ranges (AWS has two) one can be configured: the operator's choice, or the first. */
function chosen(readout: Readout, file: string, { tunnel }: ImportFlags): Readout {
  const { connections, notes } = readout;
  if (tunnel !== undefined) {
    const found = connections.filter(({ name }, i) => name === tunnel || String(i + 1) === tunnel);
    if (found.length > 0) return { ...readout, connections: found };
    const names = connections.map(({ name }) => name).join(", ");
    throw new CommandError(EXIT.usage, `${file} has no tunnel "${printable(tunnel)}"; it has: ${names || "none"}`);
  }
  if (readout.kind !== "AWS download" || connections.length < 2) return readout;
  const others = connections.slice(1).map(({ name }, i) => ({
    line: 0,
    message: `${name}, with the same ranges, is left out: two tunnels for one pair of ranges need a failover group, which is not supported yet; --tunnel ${i + 2} takes it instead`,
  }));
  return { ...readout, connections: connections.slice(0, 1), notes: [...notes, ...others] };
}

/** Our sides of what a file describes. */
export function ourSides({ describes, connections }: Readout, own: boolean): readonly Connection[] {
  return withOwnNames(describes === "the customer" || own ? connections : connections.map((each) => mirrored(each)));
}

function imported(readout: Readout, flags: ImportFlags) {
  const fitted = ourSides(readout, flags.own === true).map(withinVersion);
  const connections = fitted.map(({ connection }) => connection);
  const text = configurationText(connections, flags.withSecrets ? keyInText : keyInFile);
  // The keys that the text points to are not there yet: they come from what was read.
  const keys = new Map(connections.map(({ name, psk }) => [keyFile(name), psk]));
  const loaded = readConfiguration(text, "imported.yaml", invitingHost(keys, connections));
  const errors: readonly Finding[] =
    "errors" in loaded ? loaded.errors.map(({ path, detail }) => ({ path, message: detail })) : [];
  const warnings: readonly Warning[] = "errors" in loaded ? loaded.warnings : loaded.configuration.warnings;
  return { text, errors, warnings, connections, more: fitted.flatMap(({ notes }) => notes) };
}

function writeKeys(folder: string, connections: readonly Connection[]): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const { name, psk } of connections) {
    if (psk === undefined) continue;
    const path = join(folder, keyFile(name));
    if (existsSync(path))
      throw new CommandError(EXIT.failed, `${path} is there already; remove it, or name another folder`);
    writeFileSync(path, keyText(psk.reveal()), { mode: 0o600 });
    chmodSync(path, 0o600);
  }
}

/** The form that `psk: { file }` reads back octet for octet. */
function keyText(key: Uint8Array): string {
  return `0s${Buffer.from(key).toString("base64")}\n`;
}

interface Told {
  readonly kind: string;
  readonly text: string;
  readonly notes: readonly Note[];
  readonly errors: readonly Finding[];
  readonly warnings: readonly Warning[];
}

function tell(
  file: string,
  { kind, text, notes, errors, warnings }: Told,
  flags: ImportFlags,
  status: ExitStatus,
): ExitStatus {
  if (flags.json) {
    process.stdout.write(
      `${JSON.stringify({ file, kind, configuration: text, notes, errors, warnings: warnings.map(({ path, message }) => ({ path, message })) }, null, 2)}\n`,
    );
    return status;
  }
  const err = (line: string): void => void process.stderr.write(`${printable(line)}\n`);
  for (const { line, message } of notes) err(`${file}:${line === 0 ? "" : `${line}:`} note: ${message}`);
  for (const { path, message } of errors) err(`the configuration that came of it is refused: ${path}: ${message}`);
  if (text === "") err(`${file}: no tunnel of this ${kind} can be taken over`);
  for (const { path, message } of warnings) if (!/\.psk$/.test(path)) err(`warning: ${path}: ${message}`);
  process.stdout.write(text);
  return status;
}
