/** Reading vector files: our own folder, and suites that the user names. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type FileCase, parseVectorFile } from "../../crypto/proof/vector-file.js";
import { adaptWycheproof, isWycheproofFile } from "../../crypto/proof/wycheproof.js";
import { packageRoot } from "../package-root.js";

export interface Suite {
  /** As the table prints it: the file, and for our own files what they rest on. */
  readonly name: string;
  readonly crossChecked: boolean;
  readonly cases: readonly FileCase[];
  readonly skipped: ReadonlyMap<string, number>;
}

export interface LoadedSuites {
  readonly suites: readonly Suite[];
  /** Files that are neither of our format nor Wycheproof's for an algorithm of the registry. */
  readonly unused: readonly string[];
}

/** The vectors of this package. */
export function ownSuites(): readonly Suite[] {
  const folder = join(packageRoot(), "vectors");
  return jsonFiles(folder).map((name) => ownSuite(name, readFileSync(join(folder, name), "utf8")));
}

/**
 * A folder of the user: Wycheproof originals, also in a folder `wycheproof` below, and files of our own format; or one such
 * file. Throws `Error` where there is nothing at the path, `RangeError` for a broken file.
 */
export function userSuites(path: string): LoadedSuites {
  if (!existsSync(path)) throw new Error(`${path}: no such folder or file`);
  const suites: Suite[] = [];
  const unused: string[] = [];
  const add = (folder: string, name: string): void => {
    const json = readFileSync(join(folder, name), "utf8");
    if (isWycheproofFile(name))
      suites.push({ name: `wycheproof ${name}`, crossChecked: false, ...adaptWycheproof(name, json) });
    else if (isOwnFormat(json)) suites.push(ownSuite(name, json));
    else unused.push(name);
  };
  if (statSync(path).isFile()) add(dirname(path), basename(path));
  else
    for (const folder of [path, join(path, "wycheproof")])
      for (const name of existsSync(folder) ? jsonFiles(folder) : []) add(folder, name);
  return { suites, unused };
}

function ownSuite(name: string, json: string): Suite {
  const file = parseVectorFile(name, json);
  return { name, crossChecked: file.crossChecked !== undefined, cases: file.cases, skipped: new Map() };
}

function isOwnFormat(json: string): boolean {
  const { cases } = JSON.parse(json) as { cases?: readonly { readonly kind?: unknown; readonly row?: unknown }[] };
  return Array.isArray(cases) && cases.every(({ kind, row }) => typeof kind === "string" && typeof row === "string");
}

function jsonFiles(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort();
}
