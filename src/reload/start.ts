/** What the daemon starts with: its file, or the configuration before, where the file holds one that nobody confirmed. */
import { readFileSync } from "node:fs";
import { text as wordsOf } from "../../crypto/bytes.js";
import { type StatePlaces, statePlaces } from "../config/control-socket.js";
import { type Loaded, loadConfiguration, readConfiguration } from "../config/load.js";
import type { Configuration } from "../config/model.js";
import { thisHost } from "../config/surroundings.js";
import { HostError } from "../host/command.js";
import { type CreatedTunnels, furtherTunnels, readCreated } from "./created-tunnels.js";
import { digestOf, readRecord, recordPath, type Unconfirmed } from "./unconfirmed.js";

export interface Start {
  readonly configuration: Configuration;
  /** The text of the file that it was made from. */
  readonly text: string;
  /** The file holds a text that nobody has confirmed; `text` is the one before. */
  readonly unconfirmed?: Unconfirmed;
  readonly created: CreatedTunnels;
}

/** Throws `HostError` when something that has to outlive the daemon is there and cannot be read. */
export function loadStart(file: string): Start | Extract<Loaded, { readonly errors: unknown }> {
  const text = textOf(file);
  const places: Partial<StatePlaces> = text === undefined ? {} : statePlaces(text);
  const created = readCreated(places.stateDir);
  const further = furtherTunnels(places.stateDir, created);
  const reading = further === undefined ? {} : { created: further };
  const record = text === undefined ? undefined : recordFor(file, text);
  const loaded =
    record === undefined
      ? loadConfiguration(file, thisHost(), reading)
      : readConfiguration(record.confirmed, file, thisHost(), reading);
  if ("errors" in loaded) return loaded;
  return { ...loaded, text: wordsOf(loaded.text.reveal()), created, ...(record && { unconfirmed: record }) };
}

/** Undefined where it cannot be read, which is told when it is loaded. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** The record, when it is about this text of the file. */
function recordFor(file: string, text: string): Unconfirmed | undefined {
  try {
    const record = readRecord(recordPath(statePlaces(text)));
    return record?.sha256 === digestOf(text) ? record : undefined;
  } catch (error) {
    throw new HostError(`whether ${file} was confirmed cannot be found out: ${(error as Error).message}`);
  }
}
