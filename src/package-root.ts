/** Where the package stands: the folder of package.json, found upwards from the compiled file. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The absolute path, without a slash at its end. Throws `Error` in an installation that lacks package.json. */
export function packageRoot(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
    if (folder === dirname(folder)) throw new Error(`no package.json above ${import.meta.dirname}: install again`);
  }
}
