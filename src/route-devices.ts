/**
 * The TUN devices of tunnels in route mode. The main thread opens them, and the data plane's workers read and write by their descriptors, which
 * belong to the process: so a device outlives a worker, with its routes and with what a routing daemon has learnt over it.
 */
import { createArena } from "../crypto/openssl/arena.js";
import { close, ifNameToIndex } from "./dataplane/libc.js";
import { openTun, TUN_REQUEST_BYTES, type Tun, TunError } from "./dataplane/tun.js";
import { HostError } from "./host/command.js";
import type { Log } from "./log.js";
import type { Clock } from "./scheduler.js";

export interface WantedDevice {
  readonly tunnel: string;
  readonly name: string;
}

export interface RouteDevices {
  /** Opens those that are not open. Throws `HostError`, and then none of them was opened. The result closes those again. */
  open(wanted: readonly WantedDevice[]): () => void;
  /** The one of that name; undefined: it is not open. */
  find(name: string): Tun | undefined;
  /** Closes all others. Nobody may use them any more. */
  keepOnly(names: ReadonlySet<string>): void;
  /** The names of those that somebody has removed. */
  lost(): readonly string[];
}

/** `open` and `indexOf` as in `openTun` and if_nametoindex(3). */
export function createRouteDevices(
  open: (wanted: WantedDevice) => Tun = tunOpener(),
  indexOf: (name: string) => number = ifNameToIndex,
  release: (fd: number) => void = close,
): RouteDevices {
  const tuns = new Map<string, Tun>();

  function closeAll(names: readonly string[]): void {
    for (const name of names) {
      const tun = tuns.get(name);
      tuns.delete(name);
      if (tun !== undefined) release(tun.fd);
    }
  }

  return {
    open(wanted) {
      const opened: string[] = [];
      try {
        for (const device of wanted) {
          if (tuns.has(device.name)) continue;
          tuns.set(device.name, open(device));
          opened.push(device.name);
        }
      } catch (error) {
        closeAll(opened);
        if (error instanceof TunError) throw new HostError(error.message);
        throw error;
      }
      return () => closeAll(opened);
    },
    find: (name) => tuns.get(name),
    keepOnly: (names) => closeAll([...tuns.keys()].filter((name) => !names.has(name))),
    lost: () => [...tuns.values()].filter(({ name, index }) => indexOf(name) !== index).map(({ name }) => name),
  };
}

function tunOpener(): (wanted: WantedDevice) => Tun {
  const arena = createArena(TUN_REQUEST_BYTES);
  const request = arena.alloc(TUN_REQUEST_BYTES);
  const descriptors = { keep: (fd: number) => fd, close };
  return ({ tunnel, name }) => openTun(arena, descriptors, request, { name, key: `tun of tunnel ${tunnel}` });
}

/** Milliseconds between two looks at the devices: one that somebody deleted tells its owner little. */
const LOOK = 5_000;

/**
 * Sees to it that the devices `wanted` names are there: one that was removed is made again, and then `restored` is called with what was
 * found. `look` does so at once.
 */
export function watchRouteDevices(
  devices: RouteDevices,
  wanted: () => readonly WantedDevice[],
  ports: {
    readonly clock: Clock;
    readonly log: Log;
    readonly restored: (names: readonly string[]) => void;
  },
): { look(): void; stop(): void } {
  const { clock, log, restored } = ports;
  let cancel: (() => void) | undefined;
  let stopped = false;

  function look(): void {
    const all = wanted();
    const gone = new Set([...devices.lost(), ...all.flatMap(({ name }) => (devices.find(name) ? [] : [name]))]);
    if (gone.size === 0) return;
    devices.keepOnly(new Set(all.map(({ name }) => name).filter((name) => !gone.has(name))));
    try {
      devices.open(all);
      log.warn(`somebody removed ${[...gone].join(", ")}: made again`);
    } catch (error) {
      log.error(`${[...gone].join(", ")} cannot be made again: ${(error as Error).message}`);
    }
    restored([...gone]);
  }

  function lookLater(): void {
    cancel = clock.at(clock.now() + LOOK, () => {
      look();
      if (!stopped) lookLater();
    });
  }

  lookLater();
  return {
    look,
    stop() {
      stopped = true;
      cancel?.();
    },
  };
}
