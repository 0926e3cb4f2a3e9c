/** `causeway capture`: records one tunnel for a bounded time, and writes what Wireshark needs to open it. */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join, resolve } from "node:path";
import { pcapngHead, pcapngPacket } from "../capture/pcapng.js";
import { type CaptureRecord, INTERFACES, LONGEST_CAPTURE, USUAL_CAPTURE } from "../capture/records.js";
import { KEY_TABLES, type KeyTable, tsharkCommand } from "../capture/wireshark.js";
import { printable } from "../config/problem.js";
import { packageVersion } from "../version.js";
import { followCapture } from "./client.js";
import { CommandError, EXIT, type ExitStatus } from "./exit.js";
import { type SocketOptions, socketPath } from "./socket.js";
import { formatCount } from "./words.js";

export interface CaptureOptions extends SocketOptions {
  readonly json?: boolean;
  readonly seconds?: string;
  readonly output?: string;
  /** False: `--no-renew`. */
  readonly renew?: boolean;
}

export async function runCapture(tunnel: string, options: CaptureOptions): Promise<ExitStatus> {
  const seconds = secondsOf(options.seconds);
  const folder = resolve(options.output ?? usualFolder(tunnel));
  const files = openFiles(folder);
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    if (!options.json)
      process.stderr.write(`records tunnel ${printable(tunnel)} for ${seconds} s; Ctrl-C ends it earlier\n`);
    const wish = { seconds, renew: options.renew !== false };
    await followCapture(socketPath(options), tunnel, wish, (record) => files.take(record), stop.signal);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    files.close();
  }
  const command = tsharkCommand(folder);
  writeFileSync(join(folder, "command"), `${command}\n`, { mode: 0o600 });
  const { packets, keys, notes, missed } = files;
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ folder, packets: { outer: packets[0], inner: packets[1] }, keys, missed, notes, command }, null, 2)}\n`
      : render(folder, files, command),
  );
  return EXIT.done;
}

function render(folder: string, { packets, keys, notes, missed }: Files, command: string): string {
  const lines = [
    `${folder}: ${formatCount(packets[0]!, "packet")} outside, ${formatCount(packets[1]!, "packet")} inside, ${formatCount(keys, "line")} of keys`,
    ...(missed > 0 ? [`${formatCount(missed, "packet")} beyond the bound of a recording are missing`] : []),
    ...notes,
    "The folder holds the keys of this recording: whoever has it can read the packets. Remove it when it has served.",
    command,
  ];
  return lines.map((line) => `${printable(line)}\n`).join("");
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return USUAL_CAPTURE;
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > LONGEST_CAPTURE)
    throw new CommandError(EXIT.usage, `--seconds ${text}: a whole number from 1 to ${LONGEST_CAPTURE} is wanted`);
  return seconds;
}

function usualFolder(tunnel: string): string {
  const time = new Date().toISOString().replace(/[-:]|\..*/g, "");
  return `capture-${tunnel.replace(/[^\w.-]/g, "_")}-${time}`;
}

interface Files {
  /** By interface. */
  readonly packets: number[];
  keys: number;
  missed: number;
  readonly notes: string[];
  take(record: CaptureRecord): void;
  close(): void;
}

/** Everything is for its owner alone, and nothing that is there is written over. */
function openFiles(folder: string): Files {
  const descriptors = new Map<KeyTable | "capture.pcapng", number>();
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const name of [...KEY_TABLES, "capture.pcapng"] as const)
      descriptors.set(name, openSync(join(folder, name), "wx", 0o600));
  } catch (error) {
    for (const fd of descriptors.values()) closeSync(fd);
    throw new CommandError(EXIT.failed, `${folder}: ${(error as Error).message}; --output names another folder`);
  }
  const write = (name: KeyTable | "capture.pcapng", data: Uint8Array | string): void => {
    const octets = typeof data === "string" ? Buffer.from(data) : data;
    for (let at = 0; at < octets.length; ) at += writeSync(descriptors.get(name)!, octets, at);
  };
  write("capture.pcapng", pcapngHead(`Causeway ${packageVersion}`, INTERFACES));
  const files: Files = {
    packets: INTERFACES.map(() => 0),
    keys: 0,
    missed: 0,
    notes: [],
    take(record) {
      switch (record.kind) {
        case "packet": {
          const { interface: index, time, packet, comment } = record;
          files.packets[index]!++;
          const bytes = Buffer.from(packet, "base64");
          write(
            "capture.pcapng",
            pcapngPacket({ interface: index, time, bytes, ...(comment !== undefined && { comment }) }),
          );
          return;
        }
        case "key":
          files.keys++;
          write(record.table, `${record.line}\n`);
          return;
        case "note":
          files.notes.push(record.note);
          return;
        case "ended":
          files.missed = record.missed;
          return;
        case "started":
          return;
      }
    },
    close() {
      for (const fd of descriptors.values()) closeSync(fd);
    },
  };
  return files;
}
