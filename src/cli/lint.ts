/** `causeway lint`: two configurations, ours or other products': will they connect? */
import { loadConfiguration } from "../config/load.js";
import { printable } from "../config/problem.js";
import { compareEnds, type Line, pairUp } from "../exchange-formats/compare.js";
import { type Connection, connectionOf, mirrored } from "../exchange-formats/connection.js";
import { kindOf } from "../exchange-formats/read-file.js";
import { CommandError, EXIT, type ExitStatus } from "./exit.js";
import { readForeignFile, readText } from "./foreign-file.js";
import { isKnown, keylessHost } from "./stand-in-host.js";

export interface LintFlags {
  readonly tunnel?: string;
  readonly secretsA?: string;
  readonly secretsB?: string;
  readonly kindA?: string;
  readonly kindB?: string;
  readonly json?: boolean;
}

interface Side {
  readonly file: string;
  readonly kind: string;
  /** Each from the file's own side. */
  readonly connections: readonly Connection[];
  readonly notes: readonly string[];
}

export function runLint(fileA: string, fileB: string, flags: LintFlags): ExitStatus {
  const a = readSide(fileA, flags.kindA, flags.secretsA);
  const b = readSide(fileB, flags.kindB, flags.secretsB);
  const wanted = flags.tunnel === undefined ? a.connections : a.connections.filter(({ name }) => name === flags.tunnel);
  if (flags.tunnel !== undefined && wanted.length === 0)
    throw new CommandError(
      EXIT.usage,
      `${fileA} has no tunnel "${printable(flags.tunnel)}"; it has: ${namesOf(a) || "none"}`,
    );
  const pairs = pairUp(wanted, b.connections).map(([one, other]) => ({
    a: one.name,
    b: other.name,
    lines: compareEnds(one, other),
  }));
  const connect =
    pairs.length > 0 && pairs.every(({ lines }) => !lines.some(({ judgement }) => judgement === "different"));
  if (flags.json) process.stdout.write(`${JSON.stringify(reportOf(a, b, pairs, connect), null, 2)}\n`);
  else process.stdout.write(render(a, b, pairs, connect));
  return connect ? EXIT.done : EXIT.failed;
}

interface Pair {
  readonly a: string;
  readonly b: string;
  readonly lines: readonly Line[];
}

function readSide(file: string, kind: string | undefined, secrets: string | undefined): Side {
  const text = readText(file);
  if (kind === undefined && kindOf(text) === undefined) return ownSide(file);
  const readout = readForeignFile(file, text, kind, secrets === undefined ? undefined : readText(secrets));
  // A cloud writes for its customer: its own side is the other one.
  const own =
    readout.describes === "the customer" ? readout.connections.map((each) => mirrored(each)) : readout.connections;
  return {
    file,
    kind: readout.kind,
    connections: own,
    notes: readout.notes.map(({ line, message }) => `${file}:${line === 0 ? "" : `${line}:`} note: ${message}`),
  };
}

function ownSide(file: string): Side {
  const loaded = loadConfiguration(file, keylessHost());
  if ("errors" in loaded)
    throw new CommandError(
      EXIT.usage,
      `${file} is no configuration that can be used:\n${loaded.errors.map(({ message }) => message).join("\n")}`,
    );
  const { policy, psk } = loaded.configuration;
  return {
    file,
    kind: "causeway",
    connections: policy.tunnels.map((tunnel) =>
      connectionOf(tunnel, isKnown(psk.get(tunnel.name)) ? psk.get(tunnel.name) : undefined),
    ),
    notes: [],
  };
}

function namesOf({ connections }: Side): string {
  return connections.map(({ name }) => name).join(", ");
}

function reportOf(a: Side, b: Side, pairs: readonly Pair[], connect: boolean) {
  return {
    connect,
    a: { file: a.file, kind: a.kind, notes: a.notes },
    b: { file: b.file, kind: b.kind, notes: b.notes },
    tunnels: pairs.map(({ a: nameA, b: nameB, lines }) => ({ a: nameA, b: nameB, lines })),
  };
}

const SIGNS = { equal: "  ", different: "✗ ", warning: "! ", unknown: "? " } as const;

function render(a: Side, b: Side, pairs: readonly Pair[], connect: boolean): string {
  const out = [...a.notes, ...b.notes, `A: ${a.file} (${a.kind})`, `B: ${b.file} (${b.kind})`, ""];
  if (pairs.length === 0)
    out.push(
      `no tunnel of A (${namesOf(a) || "none"}) belongs to one of B (${namesOf(b) || "none"}): no address, identity or range of theirs meets`,
    );
  for (const { a: nameA, b: nameB, lines } of pairs) {
    out.push(nameA === nameB ? `tunnel ${nameA}` : `tunnel ${nameA} of A, ${nameB} of B`);
    for (const phase of [1, 2] as const) {
      out.push(`  phase ${phase}`);
      for (const line of lines.filter((each) => each.phase === phase)) out.push(...lineWords(line));
    }
    out.push("");
  }
  const differences = pairs.flatMap(({ lines }) => lines).filter(({ judgement }) => judgement === "different").length;
  out.push(
    connect
      ? "They will connect."
      : pairs.length === 0
        ? "They will not connect."
        : `They will not connect: ${differences} ${differences === 1 ? "difference" : "differences"} (✗).`,
  );
  return out.map((line) => `${printable(line)}\n`).join("");
}

function lineWords({ attribute, judgement, a, b, advice }: Line): string[] {
  const sign = SIGNS[judgement];
  const values = judgement === "equal" && a === b ? a : `A ${a} · B ${b}`;
  return [
    `  ${sign}${attribute.padEnd(20)} ${values}`,
    ...(advice === undefined ? [] : [`    ${" ".repeat(20)} ${advice}`]),
  ];
}
