/**
 * Seeded schedules on every processor. What a schedule does depends on its seed alone, so it is the same on whichever thread it runs,
 * and what is counted is the same whatever the number of threads.
 */
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { selectBackends } from "../../crypto/backends.js";

/** How often what happened; throws when the schedule breaks a rule. */
export type Schedule = (seed: number) => Iterable<readonly [what: string, times: number]>;

interface Share {
  /** Address of the module that exports the schedule, and its name there. */
  readonly module: string;
  readonly name: string;
  readonly seeds: readonly number[];
  /** The lowest seed that failed on any thread: nobody needs to go beyond it. */
  readonly failed: Int32Array;
}

interface Outcome {
  readonly counts: ReadonlyMap<string, number>;
  readonly failure?: { readonly seed: number; readonly error: unknown };
}

const NONE = 0x7fff_ffff;

/** How many lives a run has, unless SIM_RUNS says otherwise. */
export const LIVES_OF_TIER = process.env.CAUSEWAY_TIER === "full" ? 10_000 : 2_000;

/** The schedules 1 to `runs`; SIM_SEED=n: that one alone. */
export function seedsOf(runs: number): readonly number[] {
  const { SIM_SEED } = process.env;
  return SIM_SEED === undefined ? Array.from({ length: runs }, (_, i) => i + 1) : [Number(SIM_SEED)];
}

/** Runs the schedule `name` of `module` with each seed; gives the sums. Throws for the lowest seed that fails, and names it. */
export async function runSchedules(
  module: string,
  name: string,
  seeds: readonly number[],
): Promise<ReadonlyMap<string, number>> {
  const threads = Math.min(seeds.length, Math.max(2, availableParallelism()));
  const failed = new Int32Array(new SharedArrayBuffer(4)).fill(NONE);
  const shares = Array.from({ length: threads }, (_, thread): Share => {
    return { module, name, seeds: seeds.filter((_, i) => i % threads === thread), failed };
  });
  const outcomes = await Promise.all(shares.map(onThread));
  const failures = outcomes.flatMap(({ failure }) => failure ?? []).sort((a, b) => a.seed - b.seed);
  if (failures[0] !== undefined) {
    const { seed, error } = failures[0];
    throw new Error(`schedule ${seed} (run it alone with SIM_SEED=${seed}): ${error}`, { cause: error });
  }
  const total = new Map<string, number>();
  for (const { counts } of outcomes) add(total, counts);
  return total;
}

function onThread(share: Share): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: share });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`a thread of schedules ended with ${code}`)));
  });
}

function add(total: Map<string, number>, counts: Iterable<readonly [string, number]>): void {
  for (const [what, times] of counts) total.set(what, (total.get(what) ?? 0) + times);
}

async function work({ module, name, seeds, failed }: Share): Promise<Outcome> {
  selectBackends(); // as the gateway does: the fast ones
  const { [name]: schedule } = (await import(module)) as Readonly<Record<string, Schedule>>;
  if (schedule === undefined) throw new Error(`${module} has no schedule ${name}`);
  const counts = new Map<string, number>();
  for (const seed of seeds) {
    if (seed > Atomics.load(failed, 0)) break;
    try {
      add(counts, schedule(seed));
    } catch (error) {
      lower(failed, seed);
      return { counts, failure: { seed, error } };
    }
  }
  return { counts };
}

function lower(failed: Int32Array, seed: number): void {
  for (let known = Atomics.load(failed, 0); seed < known; known = Atomics.load(failed, 0))
    if (Atomics.compareExchange(failed, 0, known, seed) === known) return;
}

if (!isMainThread) parentPort!.postMessage(await work(workerData as Share));
