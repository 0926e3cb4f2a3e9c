/**
 * Puts another configuration in place of the one that runs: `plan`, `reload`, `reload --confirm`. One change at a time; a change that
 * is not possible, or that the host refuses, leaves everything as it was.
 */
import { text as wordsOf } from "../../crypto/bytes.js";
import { loadConfiguration, readConfiguration } from "../config/load.js";
import type { Configuration } from "../config/model.js";
import { thisHost } from "../config/surroundings.js";
import { type Log, stackOf } from "../log.js";
import type { Clock } from "../scheduler.js";
import { type CreatedTunnels, furtherTunnels, NONE_CREATED } from "./created-tunnels.js";
import { changesNothing, planReload } from "./plan.js";
import type { PlanRequest, ReloadPlan, ReloadRequest, ReloadResult } from "./plan-model.js";
import { planLines } from "./plan-words.js";
import { isSettled } from "./settled-file.js";
import { createTunnelEditor, type TunnelEditor } from "./tunnel-editor.js";
import { digestOf, recordPath, removeRecord, writeRecord } from "./unconfirmed.js";

/** The running gateway, as far as a change concerns it. */
export interface Changeable {
  configuration(): Configuration;
  /** Rejects with a sentence when the host refuses; everything is as before then. */
  apply(next: Configuration, newKeys: ReadonlySet<string>): Promise<void>;
}

export interface Reloader {
  plan(request?: PlanRequest): Promise<ReloadPlan>;
  reload(request?: ReloadRequest): Promise<ReloadResult>;
  /** The tunnels beside those of the file. */
  readonly tunnels: TunnelEditor;
  /** Nothing is rolled back any more by this process; the record stays for the next one. */
  stop(): void;
}

export interface ReloaderPorts {
  readonly gateway: Changeable;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the file, as it runs. */
  readonly text: string;
  /** The tunnels that were created through the API. */
  readonly created?: CreatedTunnels;
}

interface Pending {
  readonly cancel: () => void;
  readonly before: { readonly configuration: Configuration; readonly text: string };
}

export function createReloader(ports: ReloaderPorts): Reloader {
  const { gateway, clock, log } = ports;
  const { file, gateway: settings } = gateway.configuration();
  let created = ports.created ?? NONE_CREATED;
  const reading = (tunnels = created) => {
    const further = furtherTunnels(settings.stateDir, tunnels);
    return further === undefined ? {} : { created: further };
  };
  const load = () => loadConfiguration(file, thisHost(), reading());
  const read = (words: string, name: string, tunnels = created) =>
    readConfiguration(words, name, thisHost(), reading(tunnels));
  const record = recordPath(settings);
  /** Of the configuration that runs. */
  let text = ports.text;
  let pending: Pending | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  function alone<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = queue.then(work);
    queue = result.catch(() => undefined);
    return result;
  }

  async function plan({ text: given, file: name = file }: PlanRequest = {}): Promise<ReloadPlan> {
    const loaded = given === undefined ? load() : read(given, name);
    return planReload(gateway.configuration(), loaded, given === undefined ? file : name).plan;
  }

  async function reload({ confirm, confirm_s: patience }: ReloadRequest = {}): Promise<ReloadResult> {
    if (confirm !== undefined) return confirmPending();
    if (!(await isSettled(file)))
      return { ok: false, result: "nothing was changed", reason: `${file} is being written` };
    const loaded = load();
    const { plan: shown, newKeys } = planReload(gateway.configuration(), loaded, file);
    if ("errors" in loaded || !shown.possible) {
      const reason = planLines(shown).at(-1) ?? "";
      log.error(`reload: nothing was changed: ${reason}`, { problems: planLines(shown) });
      return { ok: false, result: "nothing was changed", reason: refusal(shown), plan: shown };
    }
    if (patience !== undefined) {
      const problem = await keepRecord(wordsOf(loaded.text.reveal()));
      if (problem !== undefined) return { ok: false, result: "nothing was changed", reason: problem, plan: shown };
    }
    const before = { configuration: gateway.configuration(), text };
    try {
      await gateway.apply(loaded.configuration, newKeys);
    } catch (error) {
      if (patience !== undefined) await (pending === undefined ? dropRecord() : keepRecord(text));
      log.error("reload: nothing was changed", { error: stackOf(error) });
      return { ok: false, result: "nothing was changed", reason: (error as Error).message, plan: shown };
    }
    text = wordsOf(loaded.text.reveal());
    const confirmed = pending?.before ?? before;
    pending?.cancel();
    pending = undefined;
    for (const line of planLines(shown)) log.info(`reload: ${line}`);
    if (patience === undefined) {
      await dropRecord();
      return {
        ok: true,
        result: changesNothing(shown) ? "nothing has changed" : "the new configuration runs",
        plan: shown,
      };
    }
    const end = () => void alone(() => rollBack(trial));
    const trial: Pending = { before: confirmed, cancel: clock.at(clock.now() + patience * 1000, end) };
    pending = trial;
    return {
      ok: true,
      result: `the new configuration runs; unless it is confirmed within ${patience} s, the one before comes back`,
      confirm_within_s: patience,
      plan: shown,
    };
  }

  async function confirmPending(): Promise<ReloadResult> {
    if (pending === undefined)
      return {
        ok: false,
        result: "there is nothing to confirm",
        reason: "every configuration is confirmed, or was rolled back",
      };
    pending.cancel();
    pending = undefined;
    await dropRecord();
    log.info("reload: the configuration is confirmed");
    return { ok: true, result: "the configuration is confirmed" };
  }

  /** Unless the trial has ended meanwhile. */
  async function rollBack(trial: Pending): Promise<void> {
    if (pending !== trial) return;
    const { before } = trial;
    pending = undefined;
    // Read anew, because tunnels may have been created since; as it was, if that cannot be.
    const again = read(before.text, file);
    const back = "errors" in again ? before : again;
    const { plan: shown, newKeys } = planReload(gateway.configuration(), back, file);
    try {
      await gateway.apply(back.configuration, newKeys);
      text = before.text;
      log.warn(`reload: nobody confirmed the configuration in ${file}: the one before is back`);
      for (const line of planLines(shown)) log.info(`rollback: ${line}`);
    } catch (error) {
      log.error("reload: the configuration before could not be brought back; a restart will use it", {
        error: stackOf(error),
      });
    }
  }

  /** On the disk before anything is changed. The oldest one that was confirmed stays in it. Undefined, or why it cannot be. */
  async function keepRecord(next: string): Promise<string | undefined> {
    const confirmed = pending?.before.text ?? text;
    try {
      await writeRecord(record, { sha256: digestOf(next), confirmed });
      return undefined;
    } catch (error) {
      return `the record of a configuration on trial cannot be written: ${(error as Error).message}`;
    }
  }

  /** Also one that an earlier run has left, about whatever text. */
  async function dropRecord(): Promise<void> {
    try {
      await removeRecord(record);
    } catch (error) {
      log.error(`the record ${record} of a configuration on trial cannot be removed: remove it before the next start`, {
        error: stackOf(error),
      });
    }
  }

  return {
    plan: (request) => plan(request),
    reload: (request) => alone(() => reload(request)),
    tunnels: createTunnelEditor({
      gateway,
      log,
      alone,
      text: () => text,
      created: () => created,
      setCreated(next) {
        created = next;
      },
      read: (next) => read(text, file, next),
    }),
    stop: () => pending?.cancel(),
  };
}

function refusal({ errors, needs_restart: keys }: ReloadPlan): string {
  if (errors.length === 0)
    return `${keys.join(", ")} cannot change while the gateway runs: restart it, or put the old value back`;
  const [{ file, line, column, path, message }] = errors as [ReloadPlan["errors"][number]];
  const more = errors.length === 1 ? "" : ` (and ${errors.length - 1} more)`;
  return `${file}:${line}:${column}: ${path}: ${message}${more}`;
}
