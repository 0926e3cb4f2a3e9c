/** `causeway explain` and `causeway why`: why a tunnel is as it is, with the evidence, and how it came to that. */
import { printable } from "../config/problem.js";
import type {
  ComparedRow,
  ExplainedCause,
  ExplainedPhase,
  ExplainReport,
  WhyReport,
} from "../control/explain-model.js";
import { fetchExplanation, fetchHistory } from "./client.js";
import { EXIT, type ExitStatus } from "./exit.js";
import { explainByProbe, type ProbedExplanation } from "./explain-probe.js";
import { type SocketOptions, socketPath } from "./socket.js";

interface Options extends SocketOptions {
  readonly json?: boolean;
  readonly probe?: boolean;
}

/** Exit status 0 when the daemon answers, whatever the tunnel does. */
export async function showExplanation(tunnel: string, options: Options): Promise<ExitStatus> {
  const { probe = false, json = false, config } = options;
  const report = await fetchExplanation(socketPath(options), tunnel);
  const up = report.state === "established" || report.state === "degraded";
  const probed = probe ? await explainByProbe(tunnel, { config, up, silent: json }) : undefined;
  const text = renderExplanation(report) + (probed === undefined ? "" : renderProbed(probed));
  process.stdout.write(json ? `${JSON.stringify(probed ? { ...report, probed } : report, null, 2)}\n` : text);
  return EXIT.done;
}

function renderProbed({ sentence, phases }: ProbedExplanation): string {
  const tables = phases.flatMap(({ phase, rows, note }) => [
    "",
    `${PHASE_WORDS[phase]}, as the probe found it`,
    ...renderRows(
      rows.map(({ attribute, verdict, ours, theirs, suspect }) => ({
        attribute,
        verdict,
        ours: [...ours],
        theirs: theirs === undefined ? null : [...theirs],
        suspect: suspect === true,
      })),
    ),
    ...(note === undefined ? [] : [`    ${note}`]),
  ]);
  return lines(["", `${sentence}.`, ...tables]);
}

export async function showHistory(tunnel: string, options: Options): Promise<ExitStatus> {
  const report = await fetchHistory(socketPath(options), tunnel);
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : renderHistory(report));
  return EXIT.done;
}

export function renderExplanation({ sentence, next, cause, phases, profile }: ExplainReport): string {
  const evidence = phases.length > 0 ? phases.flatMap(renderPhase) : ["", "nothing is known of the peer yet"];
  return lines([
    `${sentence}.`,
    `next: ${next}`,
    ...(cause === null ? [] : renderCause(cause)),
    ...evidence,
    ...renderProfile(profile),
  ]);
}

function renderProfile(profile: ExplainReport["profile"]): readonly string[] {
  if (profile === null) return [];
  return [
    "",
    `profile ${profile.name} (${profile.title}); ${profile.source}`,
    ...profile.quirks.map(({ what, remedy }) => `  known of it: it ${what}; ${remedy}`),
  ];
}

export function renderHistory({ sentence, events }: WhyReport): string {
  const told = events.map(({ first, last, count, message, code, proven }) => {
    const often = count > 1 ? ` (${count} times since ${first})` : "";
    const by = proven ? "" : " [unproven]";
    return `${last}  ${message}${often}${code === null ? "" : ` [${code}]`}${by}`;
  });
  return lines([`${sentence}.`, "", ...(told.length > 0 ? told : ["nothing has happened yet"])]);
}

function renderCause(cause: ExplainedCause): readonly string[] {
  const { code, detail, exchange, message, time, count, proven, fix, peer_fix, rfc } = cause;
  const where = exchange === null ? "" : ` in ${exchange}${message === null ? "" : `, ${MESSAGE_WORDS[message]}`}`;
  const often = count > 1 ? `, ${count} times in a row` : "";
  return [
    "",
    `${code}${where}, at ${time}${often}${proven ? "" : "; anybody can say so, nothing of it is proven"}`,
    `  ${detail}`,
    `  here: ${fix}`,
    `  at the peer: ${peer_fix}`,
    `  see ${rfc}, and docs/causes.md`,
  ];
}

const MESSAGE_WORDS = { request: "the request", response: "the answer", silence: "no answer came" } as const;

function renderPhase({ phase, time, rows, proposals, more }: ExplainedPhase): readonly string[] {
  return [
    "",
    `${PHASE_WORDS[phase]}, as of ${time}`,
    ...renderRows(rows),
    ...proposals.flatMap(({ number, rows: own }) => [`  their proposal ${number}`, ...renderRows(own)]),
    ...(more > 0 ? [`  and ${more} further proposals of the peer`] : []),
  ];
}

const PHASE_WORDS = { 1: "phase 1 (IKE SA)", 2: "phase 2 (child SA)" } as const;

function renderRows(rows: readonly ComparedRow[]): readonly string[] {
  return rows.map((row) => {
    const ours = row.ours.join(" ") || "none";
    const theirs = row.theirs === null ? "?" : row.theirs.join(" ") || "none";
    return `    ${row.attribute.padEnd(15)} ${verdictWords(row).padEnd(10)} ours ${ours}; theirs ${theirs}`;
  });
}

function verdictWords({ verdict, suspect }: ComparedRow): string {
  return suspect ? "unknown !" : verdict;
}

/** Nothing that a peer sends moves the cursor. */
function lines(all: readonly string[]): string {
  return `${all.map(printable).join("\n")}\n`;
}
