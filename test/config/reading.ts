/** Reads configuration texts on an invented host. */
import assert from "node:assert/strict";
import { utf8 } from "../../crypto/bytes.js";
import { parseAddress } from "../../esp/address.js";
import { type Loaded, type Reading, readConfiguration } from "../../src/config/load.js";
import type { Configuration, Warning } from "../../src/config/model.js";
import type { ConfigError } from "../../src/config/problem.js";
import type { Surroundings } from "../../src/config/surroundings.js";

export const STRONG = "Xk2+9vQdE7mPzR4tLw8sNhB3yFgJ6uAc";

/** Where the keys of these texts come from: not from the text itself, which would earn a warning. */
export const PSK = "{ env: KEY }";

/** Has 203.0.113.1, 192.168.1.1 and 10.0.0.1, the files given as path -> text, and the variables given. */
export function inventedHost(
  files: Readonly<Record<string, string | Uint8Array>> = {},
  env: Readonly<Record<string, string>> = { KEY: STRONG },
): Surroundings {
  return {
    hostname: "invented",
    addresses: ["127.0.0.1", "203.0.113.1", "192.168.1.1", "10.0.0.1", "::1"].map(parseAddress),
    env,
    readSecretFile(path) {
      const content = files[path];
      if (content === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: "ENOENT" });
      return { octets: typeof content === "string" ? utf8(content) : content, openToAll: path.includes("open") };
    },
  };
}

export function load(text: string, host: Surroundings = inventedHost(), lint: Reading = {}): Loaded {
  return readConfiguration(text, "/etc/causeway/gateway.yaml", host, lint);
}

export function accepted(text: string, host?: Surroundings): Configuration {
  const loaded = load(text, host);
  if ("errors" in loaded) assert.fail(loaded.errors.map(({ message }) => message).join("\n"));
  return loaded.configuration;
}

export function refused(text: string, host?: Surroundings): readonly ConfigError[] {
  const loaded = load(text, host);
  assert.ok("errors" in loaded, "the text was accepted");
  assert.ok(loaded.errors.length > 0);
  return loaded.errors;
}

/** "line:column path", one for each error. */
export function places(text: string, host?: Surroundings): readonly string[] {
  return refused(text, host).map(({ line, column, path }) => `${line}:${column} ${path}`);
}

export function warnings(text: string, host?: Surroundings): readonly Warning[] {
  return accepted(text, host).warnings;
}

/** A valid configuration with one tunnel: `tunnel` and `top` are lines of YAML, indented as they stand there. */
export function oneTunnel(tunnel = "", top = ""): string {
  return `version: 1
${top}
tunnels:
  - name: a
    peer: 198.51.100.2
    psk: ${PSK}
    policies: [{ local: [192.168.1.0/24], peer: [10.1.0.0/16] }]
${tunnel}
`;
}
