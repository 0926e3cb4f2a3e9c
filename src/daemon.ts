/** The daemon's life: signals, the service manager, bugs that must not end it, and the orderly end. */
import { type Gateway, startGateway, type Undo } from "./gateway.js";
import { HostError } from "./host/command.js";
import { createLog, type Log, stackOf } from "./log.js";
import type { Start } from "./reload/start.js";
import { type ServiceManager, serviceManager } from "./sd-notify.js";
import { packageVersion } from "./version.js";

/** Milliseconds that the peers get to confirm that their SAs are deleted. */
const FAREWELL = 3_000;

/** Runs the gateway until a signal ends it, and resolves with the exit status: 0 after an orderly end, 1 when it could not start. */
export async function runDaemon(start: Start): Promise<number> {
  const { configuration } = start;
  const log = createLog(configuration.gateway.log);
  const service = serviceManager(process.env);
  const signals = watchSignals(log);
  const bug = (error: unknown): void => log.error("a bug in causeway, which keeps running", { error: stackOf(error) });
  process.on("uncaughtException", bug).on("unhandledRejection", bug);
  const undo: Undo[] = [];
  try {
    for (const { file = configuration.file, path, line, message } of configuration.warnings)
      log.warn(`${file}:${line}: ${path}: ${message}`);
    if (start.unconfirmed)
      log.warn(
        `${configuration.file} holds a configuration that was applied on trial and never confirmed: the one before is used. ` +
          '"causeway reload" applies it',
      );
    const gateway = await startGateway(start, log, undo);
    // Its outcome is in the log.
    signals.onReload(() => void gateway.reloader.reload().catch((error: unknown) => bug(error)));
    const stopWatchdog = watchdog(service, gateway);
    undo.push({ what: "the watchdog", how: async () => stopWatchdog() });
    log.info(`gateway ${configuration.gateway.name} is up`, {
      version: packageVersion,
      tunnels: configuration.policy.tunnels.length,
    });
    service.notify("READY=1");
    log.info(`${await signals.first}: deletes the SAs at the peers, and ends`);
    service.notify("STOPPING=1");
    await Promise.race([farewell(gateway), signals.second]);
    return 0;
  } catch (error) {
    log.error(error instanceof HostError ? error.message : "causeway cannot start", {
      ...(!(error instanceof HostError) && { error: stackOf(error) }),
    });
    return 1;
  } finally {
    for (const { what, how } of undo.reverse())
      await how().catch((error: unknown) => log.error(`${what} did not end in order`, { error: stackOf(error) }));
    log.info("the gateway has ended");
    signals.release();
    process.off("uncaughtException", bug).off("unhandledRejection", bug);
  }
}

interface Signals {
  readonly first: Promise<NodeJS.Signals>;
  /** Somebody is in a hurry. */
  readonly second: Promise<void>;
  /** What SIGHUP does from now on. */
  onReload(reload: () => void): void;
  release(): void;
}

function watchSignals(log: Log): Signals {
  let ended = 0;
  let tellFirst: (signal: NodeJS.Signals) => void = () => undefined;
  let tellSecond: () => void = () => undefined;
  const first = new Promise<NodeJS.Signals>((resolve) => {
    tellFirst = resolve;
  });
  const second = new Promise<void>((resolve) => {
    tellSecond = resolve;
  });
  const end = (signal: NodeJS.Signals): void => {
    if (ended++ === 0) tellFirst(signal);
    else tellSecond();
  };
  let wanted = (): void => log.warn("SIGHUP: the gateway is not up yet, its file has just been read");
  const reload = (): void => wanted();
  process.on("SIGTERM", end).on("SIGINT", end).on("SIGHUP", reload);
  return {
    first,
    second,
    onReload(next) {
      wanted = next;
    },
    release: () => void process.off("SIGTERM", end).off("SIGINT", end).off("SIGHUP", reload),
  };
}

/** Tells the peers, and waits until they have confirmed, but not for ever. */
function farewell({ driver }: Gateway): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(finish, FAREWELL);
    const stop = driver.onChange(look);
    function finish(): void {
      clearTimeout(late);
      stop();
      resolve();
    }
    function look(): void {
      if (driver.isEmpty()) finish();
    }
    driver.wish({ do: "shutdown" });
    look();
  });
}

/** A sign of life only while this loop runs and the worker answers: systemd starts a gateway anew that hangs. */
function watchdog(service: ServiceManager, { dataplane }: Gateway): () => void {
  if (service.watchdogInterval === undefined) return () => undefined;
  const timer = setInterval(() => {
    dataplane.counters().then(
      () => service.notify("WATCHDOG=1"),
      () => undefined,
    );
  }, service.watchdogInterval);
  return () => clearInterval(timer);
}
