/** Reads a configuration file: every error and warning at once, or a configuration that is ready for use. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { utf8 } from "../../crypto/bytes.js";
import { type Secret, secret } from "../../crypto/secret.js";
import { readDocument, type SourceDocument } from "./document.js";
import { collectFindings, type Findings, inFileOrder } from "./findings.js";
import { type FurtherTunnels, withFurtherTunnels } from "./further-tunnels.js";
import { buildGateway } from "./gateway.js";
import { httpOf } from "./http.js";
import { type InheritedTunnel, inherit } from "./inherit.js";
import { toProblems } from "./issues.js";
import { excess, limitsOf } from "./limits.js";
import { checkMappings } from "./mappings.js";
import type { Configuration, Warning } from "./model.js";
import { formatPath } from "./path.js";
import { ConfigError, type Problem } from "./problem.js";
import { readPsk } from "./psk.js";
import { settleRouteModes } from "./route-mode.js";
import { type Salvaged, salvage } from "./salvage.js";
import { configurationSchema } from "./schema.js";
import { type Surroundings, thisHost } from "./surroundings.js";
import { type BuiltTunnel, buildTunnel } from "./tunnel.js";
import { complainOfKeysByAddress, warnOfAggressiveMode } from "./version.js";
import { warnOfIdentities, warnOfMissingSources, warnOfNestedLocals } from "./warnings.js";

export interface Refused {
  readonly errors: readonly ConfigError[];
  readonly warnings: readonly Warning[];
}

/** `text`: what was read, in which keys may stand. */
export type Loaded = { readonly configuration: Configuration; readonly text: Secret } | Refused;

export interface Reading {
  /** What is allowed and may not be meant is among the warnings. */
  readonly strict?: boolean;
  /** Further tunnels, of which `CreatedTunnels` tells: they follow those of the file, and inherit its `defaults`. */
  readonly created?: FurtherTunnels;
}

const MOST_OCTETS = 16 * 2 ** 20;

/** Never throws for what the operator wrote, nor for a file that cannot be read. */
export function loadConfiguration(file: string, host: Surroundings = thisHost(), reading: Reading = {}): Loaded {
  let text: string;
  try {
    const octets = readFileSync(file);
    if (octets.length > MOST_OCTETS) return unreadable(file, `it has more than ${MOST_OCTETS} octets`);
    text = new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch (error) {
    return unreadable(file, readFailure(error));
  }
  return readConfiguration(text, file, host, reading);
}

/** The same for a text that is already here; `file` is its name in messages and where relative key files begin. */
export function readConfiguration(text: string, file: string, host: Surroundings, reading: Reading = {}): Loaded {
  const { created, strict = false } = reading;
  const own = readDocument(text);
  const source = created === undefined ? own : withFurtherTunnels(own, created);
  if (source.value === undefined || source.value === null) {
    const nothing: Problem = { path: [], position: { line: 1, column: 1 }, message: "the file is empty" };
    return refuse(file, source.problems.length > 0 ? source.problems : [nothing], []);
  }
  const parsed = configurationSchema.safeParse(source.value);
  const issues = parsed.success ? [] : toProblems(configurationSchema, source, parsed.error);
  const told = new Set(source.problems.map(({ path }) => formatPath(path)));
  const structural = [...source.problems, ...issues.filter(({ path }) => !told.has(formatPath(path)))];
  const built = build(salvage(source.value, structural), structural, source, file, host, strict);
  return "configuration" in built ? { ...built, text: secret(utf8(text)) } : built;
}

function build(
  content: Salvaged,
  structural: readonly Problem[],
  source: SourceDocument,
  file: string,
  host: Surroundings,
  strict: boolean,
): { readonly configuration: Configuration } | Refused {
  const findings = collectFindings(source);
  const limits = limitsOf(content.gateway.limits);
  const folder = dirname(file);
  const gateway = {
    ...buildGateway(content.gateway, host, findings),
    ...httpOf(content.gateway, folder, host, source, findings),
  };
  const tunnels = content.tunnels.flatMap((tunnel, i) =>
    tunnel === undefined ? [] : [inherit(tunnel, i, content.defaults, source)],
  );
  checkTunnelList(tunnels, excess(limits, "tunnels", tunnels.length, "tunnels"), findings);
  if (tunnels.length === 0 && !structural.some(({ path }) => path[0] === "tunnels"))
    findings.warn(["tunnels"], "there are no tunnels: the gateway will have nothing to do");

  const psk = new Map<string, Secret>();
  const built: BuiltTunnel[] = [];
  for (const tunnel of tunnels) {
    const key = fetchPsk(tunnel, folder, host, findings);
    if (key !== undefined) psk.set(tunnel.name, key);
    const one = buildTunnel(tunnel, gateway.address, content.gateway, limits, findings);
    if (one !== undefined) built.push(one);
  }
  const policyMode = built.filter(({ routeMode }) => routeMode === undefined);
  checkMappings(
    policyMode.flatMap(({ mappings }) => mappings),
    limits,
    findings.complain,
  );
  complainOfKeysByAddress(
    tunnels,
    built.map(({ policy }) => policy),
    psk,
    findings,
  );
  warnOfIdentities(tunnels, built, findings);
  warnOfMissingSources(policyMode, host, findings);
  if (strict) warnOfNestedLocals(policyMode, findings);
  const routeModes = settleRouteModes(built, gateway, findings);

  const problems = [...structural, ...findings.problems()];
  const warnings = findings.warnings();
  if (problems.length > 0) return refuse(file, problems, warnings);
  return {
    configuration: {
      file,
      gateway,
      policy: {
        tunnels: built.map(({ policy }) => policy),
        ports: gateway.ports,
        limits: { halfOpen: limits.half_open, halfOpenPerAddress: limits.half_open_per_address },
      },
      psk,
      exceptions: new Map(
        built
          .filter(({ exceptions }) => exceptions.length > 0)
          .map(({ policy, exceptions }) => [policy.name, exceptions]),
      ),
      wrappings: new Map(built.map(({ policy, wrapping }) => [policy.name, wrapping])),
      profiles: new Map(built.flatMap(({ policy, profile }) => (profile ? [[policy.name, profile]] : []))),
      routeModes,
      warnings,
    },
  };
}

function checkTunnelList(tunnels: readonly InheritedTunnel[], tooMany: string | undefined, findings: Findings): void {
  if (tooMany !== undefined) findings.complain(["tunnels"], tooMany);
  const first = new Map<string, number>();
  for (const [i, { name, path }] of tunnels.entries()) {
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, i);
    else
      findings.complain(
        [...path, "name"],
        `found "${name}", the name of tunnels[${earlier}] already; names are unique`,
      );
  }
}

function fetchPsk(tunnel: InheritedTunnel, folder: string, host: Surroundings, findings: Findings): Secret | undefined {
  if (tunnel.block.psk === undefined) return undefined;
  const path = tunnel.where("psk");
  const outcome = readPsk(tunnel.block.psk, folder, host);
  if ("problem" in outcome) {
    findings.complain(path, outcome.problem);
    return undefined;
  }
  for (const warning of outcome.warnings) findings.warn(path, warning);
  if (outcome.weak !== undefined)
    findings.warn(path, `the key is weak: ${outcome.weak}; "openssl rand -base64 32" makes a good one`);
  warnOfAggressiveMode(tunnel, outcome.weak !== undefined, findings);
  return outcome.psk;
}

function refuse(file: string, problems: readonly Problem[], warnings: readonly Warning[]): Refused {
  return { errors: inFileOrder(problems).map((problem) => new ConfigError(file, problem)), warnings };
}

function unreadable(file: string, message: string): Loaded {
  return refuse(file, [{ path: [], position: { line: 1, column: 1 }, message: `cannot be read: ${message}` }], []);
}

function readFailure(error: unknown): string {
  if (error instanceof TypeError) return "it is not UTF-8 text";
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "there is no such file";
  if (code === "EACCES") return "permission denied";
  if (code === "EISDIR") return "it is a folder";
  if (error instanceof Error) return error.message;
  throw error;
}
