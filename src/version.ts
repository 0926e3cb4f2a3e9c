/** The version of the package, as package.json says. */
import { readFileSync } from "node:fs";

/** From dist/src, package.json stands two folders up. */
const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
};

export const packageVersion = version;
