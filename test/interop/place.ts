/** Where a peer runs: a namespace of this machine, a container or the guest machine, with a folder that both the test and the peer see. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { must } from "../child.js";
import type { Namespaces } from "../netns.js";

export interface Place {
  /** Runs a shell script; throws with its output unless it ends with status 0. */
  shell(script: string, seconds?: number): Promise<string>;
  /** Writes a file into the shared folder and returns the path that `shell` knows it by. */
  file(name: string, text: string): Promise<string>;
  /** The text of a file in the shared folder; empty where there is none. */
  read(name: string): Promise<string>;
  /** The path that `shell` knows a file of the shared folder by. */
  path(name: string): string;
}

export function namespacePlace(namespaces: Namespaces, name: string, folder: string): Place {
  return folderPlace((...argv) => namespaces.inside(name, ...argv), folder);
}

/** A place whose folder has the same path there and here; `inside` is the command line that runs another one there. */
export function folderPlace(inside: (...argv: string[]) => string[], folder: string): Place {
  return {
    shell: (script, seconds = 20) => must(inside("sh", "-c", script), { seconds }),
    path: (file) => join(folder, file),
    ...sharedFiles(folder, folder),
  };
}

/** The two file operations of a place whose peer sees `folder` under the path `seenAs`. */
export function sharedFiles(folder: string, seenAs: string): Pick<Place, "file" | "read"> {
  return {
    async file(name, text) {
      await writeFile(join(folder, name), text, { mode: 0o600 });
      return join(seenAs, name);
    },
    read: (name) => readFile(join(folder, name), "utf8").catch(() => ""),
  };
}
