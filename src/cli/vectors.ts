/** `causeway vectors`: the published figures through every backend of this host, as a table or as JSON. */
import { type BackendReport, backendsOf, selectBackends, type WorkingRow } from "../../crypto/backends.js";
import type { FileCase } from "../../crypto/proof/vector-file.js";
import { allRows } from "../../crypto/registry/lookup.js";
import type { BackendName, TransformRow } from "../../crypto/registry/row.js";
import { runVector } from "./vector-run.js";
import { measure, type Speed } from "./vector-speed.js";
import { ownSuites, type Suite, userSuites } from "./vector-suites.js";

export interface VectorsOptions {
  /** Further folders; `CAUSEWAY_VECTORS` adds one. */
  readonly suites: readonly string[];
  readonly json: boolean;
}

/** One line of the table. */
export interface VectorsLine {
  readonly algorithm: string;
  readonly source: string;
  /** True: "no published figure", two implementations were compared. */
  readonly crossChecked: boolean;
  readonly backend: BackendName;
  readonly cases: number;
  readonly passed: number;
  readonly failed: number;
}

export interface VectorsResult {
  readonly openssl: string;
  readonly chosen: Readonly<Record<string, BackendName | "none">>;
  readonly lines: readonly VectorsLine[];
  readonly speeds: readonly ({ readonly algorithm: string; readonly backend: BackendName } & Speed)[];
  readonly failures: readonly string[];
  readonly skipped: readonly { readonly source: string; readonly reason: string; readonly cases: number }[];
  /** Files of the user's folders without a case for this registry. */
  readonly unused: readonly string[];
}

/** Prints to stdout; the exit status: 0 all passed, 1 something failed, 2 a folder or file cannot be read. */
export async function runVectors(options: VectorsOptions): Promise<number> {
  const folders = [...options.suites];
  const fromEnvironment = process.env.CAUSEWAY_VECTORS;
  if (fromEnvironment) folders.push(fromEnvironment);
  let loaded: Loaded;
  try {
    loaded = load(folders);
  } catch (error) {
    console.error(`vectors: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
  const result = await check(loaded);
  console.log(options.json ? JSON.stringify(result, undefined, 2) : table(result, folders.length > 0));
  return result.failures.length === 0 ? 0 : 1;
}

interface Loaded {
  readonly suites: readonly Suite[];
  readonly unused: VectorsResult["unused"];
}

function load(folders: readonly string[]): Loaded {
  const users = folders.map(userSuites);
  return {
    suites: [...ownSuites(), ...users.flatMap(({ suites }) => suites)],
    unused: users.flatMap(({ unused }) => unused),
  };
}

async function check({ suites, unused }: Loaded): Promise<VectorsResult> {
  const report = selectBackends();
  const lines: VectorsLine[] = [];
  const failures: string[] = failuresOfStart(report);
  for (const suite of suites) {
    for (const [name, cases] of byRow(suite.cases)) {
      const row = findRow(name);
      if (row === undefined) {
        failures.push(`${suite.name}: no algorithm is called ${name}`);
        continue;
      }
      for (const backend of backendsOf(row)) {
        const failed = failuresOf(row, backend, cases);
        failures.push(...failed.map((failure) => `${name}, ${backend}: ${failure}`));
        lines.push({
          algorithm: name,
          source: suite.name,
          crossChecked: suite.crossChecked,
          backend,
          cases: cases.length,
          passed: cases.length - failed.length,
          failed: failed.length,
        });
      }
      await new Promise((resolve) => setImmediate(resolve)); // signals are heard between algorithms
    }
  }
  const order = workingRows().map((row) => row.name);
  lines.sort((a, b) => order.indexOf(a.algorithm) - order.indexOf(b.algorithm));
  return {
    openssl: report.openssl,
    chosen: Object.fromEntries(report.choices.map(({ row, backend }) => [row.name, backend ?? "none"])),
    lines,
    speeds: speeds(),
    failures,
    skipped: suites.flatMap(({ name, skipped }) =>
      [...skipped].map(([reason, count]) => ({ source: name, reason, cases: count })),
    ),
    unused,
  };
}

/** A row without a working backend is a failure; a backend that is merely absent is not. */
function failuresOfStart(report: BackendReport): string[] {
  return report.choices.flatMap(({ row, backend, skipped }) =>
    backend === undefined ? [`${row.name}: no backend works (${skipped.map(({ reason }) => reason).join("; ")})`] : [],
  );
}

function failuresOf(row: WorkingRow, backend: BackendName, cases: readonly FileCase[]): string[] {
  return cases.flatMap((vector) => {
    const failure = runVector(row, backend, vector);
    return failure === undefined ? [] : [`${vector.source}: ${failure}`];
  });
}

function speeds(): VectorsResult["speeds"] {
  return workingRows().flatMap((row) =>
    backendsOf(row).flatMap((backend) => {
      try {
        const speed = measure(row, backend);
        return speed === undefined ? [] : [{ algorithm: row.name, backend, ...speed }];
      } catch {
        return []; // a backend that does not work has no speed; its failure is in the table
      }
    }),
  );
}

function workingRows(): WorkingRow[] {
  return allRows().filter((row): row is WorkingRow => row.kind !== "sequence");
}

function findRow(name: string): WorkingRow | undefined {
  return workingRows().find((row: TransformRow) => row.name === name);
}

function byRow(cases: readonly FileCase[]): Map<string, FileCase[]> {
  const groups = new Map<string, FileCase[]>();
  for (const vector of cases) {
    const group = groups.get(vector.row);
    if (group === undefined) groups.set(vector.row, [vector]);
    else group.push(vector);
  }
  return groups;
}

function table(result: VectorsResult, withSuites: boolean): string {
  const source = (line: VectorsLine) =>
    `${line.source}${line.crossChecked ? " (cross-checked, no published figure)" : ""}`;
  const { lines, failures, skipped, unused, chosen } = result;
  const proofs = columns([
    ["ALGORITHM", "SOURCE", "BACKEND", "CASES", "PASSED", "FAILED"],
    ...lines.map((line) => [
      line.algorithm,
      source(line),
      line.backend,
      ...[line.cases, line.passed, line.failed].map(String),
    ]),
  ]);
  const speed = columns([
    ["ALGORITHM", "BACKEND", "MICROSECONDS", "PER", ""],
    ...result.speeds.map(({ algorithm, backend, microseconds, per }) => [
      algorithm,
      backend,
      microseconds.toFixed(microseconds < 100 ? 2 : 0),
      per,
      chosen[algorithm] === backend ? "in use" : "",
    ]),
  ]);
  const total = lines.reduce((sum, line) => sum + line.cases, 0);
  const passedOver = skipped.reduce((sum, { cases }) => sum + cases, 0);
  return [
    ...proofs,
    "",
    ...speed,
    "",
    ...skipped.map(({ source: from, reason, cases }) => `skipped ${cases} of ${from}: ${reason}`),
    ...(unused.length > 0 ? [`not used, no cases for these algorithms: ${unused.join(", ")}`] : []),
    ...(withSuites ? [] : ["no further suites: give --suite DIR or CAUSEWAY_VECTORS for Wycheproof files"]),
    ...failures.map((failure) => `FAILED ${failure}`),
    `${result.openssl}; ${total} cases, ${passedOver} skipped for the reasons above, ${failures.length} failed`,
  ].join("\n");
}

/** Left-aligned columns, two spaces apart. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
}
