/**
 * The log: one line per event on standard output, as JSON for machines or as text for a terminal. Lines are written
 * synchronously at the end of the turn that they come in, so that the last one before an end is there. Secrets are redacted by name, beside being `Secret` values
 * that print as "[secret]" anyway.
 */
import { pino } from "pino";
import type { GatewaySettings } from "./config/model.js";
import { timestamp } from "./timestamp.js";

export type LogLevel = GatewaySettings["log"]["level"];

/** What belongs to a line. `tunnel`, `ike` and `peer` are the same names everywhere: filter by them to read one story. */
export interface LogFields {
  readonly tunnel?: string;
  /** SPIs of the negotiation in hex, "initiator_responder". */
  readonly ike?: string;
  readonly peer?: string;
  readonly [name: string]: unknown;
}

export interface Log {
  write(level: LogLevel, message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}

/** Where lines go; a test collects them. */
export interface LogTarget {
  write(line: string): unknown;
}

const SEVERITY: Readonly<Record<LogLevel, number>> = { error: 50, warn: 40, info: 30, debug: 20 };

/** Names of fields whose values never leave, at the top and one level down. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  "psk",
  "key",
  "keys",
  "secret",
  "password",
  "privateOctets",
  "inboundKeys",
  "outboundKeys",
]);
const CENSOR = "[secret]";

export function createLog(settings: GatewaySettings["log"], target: LogTarget = standardOutput()): Log {
  const writer = settings.format === "json" ? jsonWriter(settings.level, target) : textWriter(target);
  const write: Log["write"] = (at, message, fields = {}) => {
    if (SEVERITY[at] >= SEVERITY[settings.level]) writer(at, message, censored(fields));
  };
  return {
    write,
    error: (message, fields) => write("error", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    info: (message, fields) => write("info", message, fields),
    debug: (message, fields) => write("debug", message, fields),
  };
}

/** Lines of one turn of the loop are written together, and at the latest when so many characters have come. */
const LONGEST_WRITE = 16_384;

function standardOutput(): LogTarget {
  const destination = pino.destination({ dest: 1, sync: true });
  // A reader that went away is no reason to end the tunnels.
  destination.on("error", () => undefined);
  let waiting = "";
  const flush = (): void => {
    if (waiting === "") return;
    const lines = waiting;
    waiting = "";
    destination.write(lines);
  };
  process.on("exit", flush);
  return {
    write(line) {
      if (waiting === "") setImmediate(flush);
      waiting += line;
      if (waiting.length >= LONGEST_WRITE) flush();
    },
  };
}

/** Without what may not leave. Hardly a line has any of it, so the fields are not copied before one does: a handshake writes six lines. */
function censored(fields: LogFields, isNested = false): LogFields {
  let clean: Record<string, unknown> | undefined;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    let shown = value;
    if (SECRET_NAMES.has(name)) shown = CENSOR;
    else if (!isNested && isPlain(value)) shown = censored(value, true);
    if (shown === value) continue;
    clean ??= { ...fields };
    clean[name] = shown;
  }
  return clean ?? fields;
}

/** Not a `Secret`, an array or an error: those print as they are made to. */
function isPlain(value: unknown): value is LogFields {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

type Writer = (at: LogLevel, message: string, fields: LogFields) => void;

function jsonWriter(level: LogLevel, target: LogTarget): Writer {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${timestamp(Date.now())}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    target as pino.DestinationStream,
  );
  return (at, message, fields) => logger[at](fields, message);
}

/** "2026-11-20T10:00:00.000Z info  site-a: IKE SA established  peer=192.0.2.2:500 ike=…" */
function textWriter(target: LogTarget): Writer {
  return (at, message, { tunnel, ...fields }) => {
    const story = tunnel === undefined ? message : `${tunnel}: ${message}`;
    const rest = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${printable(value)}`);
    const line = [story, rest.join(" ")].filter((part) => part !== "").join("  ");
    target.write(`${timestamp(Date.now())} ${at.padEnd(5)} ${line}\n`);
  };
}

/** One line whatever a peer put into a text. */
function printable(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[\x21-\x7e]*$/.test(text) ? text : JSON.stringify(text);
}

/** What a log line says of something thrown. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
