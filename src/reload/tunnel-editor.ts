/**
 * Tunnels created, changed and deleted through the API: checked with everything else of the configuration, on the disk before they
 * run, and taken back there when the host refuses them. Tunnels of the configuration file are the file's.
 */
import { readDocument } from "../config/document.js";
import type { Loaded } from "../config/load.js";
import { RequestError } from "../control/request-error.js";
import type { Log } from "../log.js";
import { type CreatedTunnels, type TunnelWords, withoutTunnel, withTunnel, writeCreated } from "./created-tunnels.js";
import { planReload } from "./plan.js";
import type { Changeable } from "./reloader.js";

export interface TunnelRow {
  readonly name: string;
  readonly origin: "file" | "api";
}

export interface TunnelWordsAndTag extends TunnelRow {
  /** Null: of the file. */
  readonly etag: string | null;
  /** As it was written, without inherited keys and without a pre-shared key that stands in it. */
  readonly configuration: Readonly<Record<string, unknown>>;
}

export interface TunnelEditor {
  list(): readonly TunnelRow[];
  /** Undefined: there is no tunnel of that name. */
  describe(name: string): TunnelWordsAndTag | undefined;
  /** These throw `RequestError`; the running state is as before then. */
  create(tunnel: Readonly<Record<string, unknown>>): Promise<TunnelWordsAndTag>;
  replace(
    name: string,
    tunnel: Readonly<Record<string, unknown>>,
    ifMatch: string | undefined,
  ): Promise<TunnelWordsAndTag>;
  remove(name: string, ifMatch: string | undefined): Promise<void>;
}

export interface EditorPorts {
  readonly gateway: Changeable;
  readonly log: Log;
  /** One change at a time. */
  readonly alone: <Result>(work: () => Promise<Result>) => Promise<Result>;
  /** The text of the file that runs, which need not be what the file holds now. */
  readonly text: () => string;
  readonly created: () => CreatedTunnels;
  readonly setCreated: (created: CreatedTunnels) => void;
  readonly read: (created: CreatedTunnels) => Loaded;
}

export function createTunnelEditor(ports: EditorPorts): TunnelEditor {
  const { gateway, log, alone, created } = ports;
  const { stateDir } = gateway.configuration().gateway;

  function describe(name: string): TunnelWordsAndTag | undefined {
    const made = created().tunnels.find((each) => each.name === name);
    if (made !== undefined)
      return { name, origin: "api", etag: tagOf(created(), name), configuration: withoutKey(made) };
    const { policy } = gateway.configuration();
    if (!policy.tunnels.some((tunnel) => tunnel.name === name)) return undefined;
    return { name, origin: "file", etag: null, configuration: withoutKey(wordsInFile(ports.text(), name)) };
  }

  function check(name: string, ifMatch: string | undefined): TunnelWords {
    const made = created().tunnels.find((each) => each.name === name);
    if (made === undefined) {
      if (describe(name) === undefined) throw new RequestError(404, `there is no tunnel "${name}"`);
      throw new RequestError(
        409,
        `tunnel "${name}" stands in ${gateway.configuration().file}: change it there, and reload`,
      );
    }
    const tag = tagOf(created(), name);
    if (ifMatch === undefined)
      throw new RequestError(428, `If-Match is missing: the ETag of the tunnel as you know it (now ${tag}), or *`);
    if (ifMatch !== "*" && ifMatch !== tag)
      throw new RequestError(412, `tunnel "${name}" has changed since: it is ${tag} now`, { ETag: tag });
    return made;
  }

  async function apply(next: CreatedTunnels, subject: string): Promise<void> {
    if (stateDir === undefined)
      throw new RequestError(409, "tunnels are created in gateway.state_dir, which is not configured");
    const loaded = ports.read(next);
    if ("errors" in loaded) throw new RequestError(400, complaints(loaded, next, subject));
    const before = created();
    const { plan, newKeys } = planReload(gateway.configuration(), loaded, loaded.configuration.file);
    if (!plan.possible)
      throw new RequestError(409, `${plan.needs_restart.join(", ")} cannot change while the gateway runs`);
    await writeCreated(stateDir, next);
    try {
      await gateway.apply(loaded.configuration, newKeys);
    } catch (error) {
      await writeCreated(stateDir, before);
      throw new RequestError(503, `the host refuses it: ${(error as Error).message}`);
    }
    ports.setCreated(next);
    for (const { name, treatment } of plan.tunnels)
      if (treatment !== "kept") log.info(`the API has changed the configuration: ${treatment}`, { tunnel: name });
  }

  return {
    list() {
      const made = new Set(created().tunnels.map(({ name }) => name));
      return gateway
        .configuration()
        .policy.tunnels.map(({ name }) => ({ name, origin: made.has(name) ? "api" : "file" }));
    },
    describe,
    create: (tunnel) =>
      alone(async () => {
        const named = withName(tunnel);
        if (describe(named.name) !== undefined)
          throw new RequestError(409, `there is a tunnel "${named.name}" already; PUT changes it`);
        await apply(withTunnel(created(), named), named.name);
        return describe(named.name)!;
      }),
    replace: (name, tunnel, ifMatch) =>
      alone(async () => {
        const before = check(name, ifMatch);
        const named = withName({ name, ...tunnel });
        if (named.name !== name) throw new RequestError(400, `the path says "${name}", the body "${named.name}"`);
        const key = "psk" in named || !("psk" in before) ? {} : { psk: before.psk };
        await apply(withTunnel(created(), { ...named, ...key }), name);
        return describe(name)!;
      }),
    remove: (name, ifMatch) =>
      alone(async () => {
        check(name, ifMatch ?? "*");
        await apply(withoutTunnel(created(), name), name);
      }),
  };
}

function tagOf({ revisions }: CreatedTunnels, name: string): string {
  return `"${revisions[name] ?? 0}"`;
}

function withName(tunnel: Readonly<Record<string, unknown>>): TunnelWords {
  const { name } = tunnel;
  if (typeof name === "string") return { ...tunnel, name };
  throw new RequestError(400, "name is missing; allowed: the name of a tunnel, text of 1 to 60 characters");
}

/** What is wrong, with the tunnel's own keys as their places. */
function complaints(
  loaded: Extract<Loaded, { errors: unknown }>,
  { tunnels }: CreatedTunnels,
  subject: string,
): string {
  const index = tunnels.findIndex(({ name }) => name === subject);
  const own = /^tunnels\[\d+\]\.?/;
  const lines = loaded.errors.map(({ path, detail, file, line }) => {
    const isOwn = index >= 0 && file.endsWith("tunnels.json");
    const place = isOwn ? path.replace(own, "") : `${file}:${line}: ${path}`;
    return place === "" ? detail : `${place}: ${detail}`;
  });
  return [...new Set(lines)].join("; ");
}

/** A key that stands in the configuration itself stays here. */
function withoutKey(words: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { psk, ...rest } = words;
  return typeof psk === "object" && psk !== null ? { ...rest, psk } : rest;
}

function wordsInFile(text: string, name: string): Readonly<Record<string, unknown>> {
  const { value } = readDocument(text);
  const tunnels = (value as { readonly tunnels?: unknown } | undefined)?.tunnels;
  const found = Array.isArray(tunnels)
    ? tunnels.find((each: unknown) => (each as { readonly name?: unknown } | null)?.name === name)
    : undefined;
  return (found ?? { name }) as Readonly<Record<string, unknown>>;
}
