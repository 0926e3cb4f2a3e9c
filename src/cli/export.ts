/** `causeway export`: the configuration of a tunnel's other end, for another product. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "../../esp/address.js";
import { addressFromOctets, parseAddress } from "../../esp/address.js";
import type { PolicyException } from "../../esp/exception.js";
import { loadConfiguration } from "../config/load.js";
import type { Configuration } from "../config/model.js";
import { printable } from "../config/problem.js";
import { thisHost } from "../config/surroundings.js";
import { connectionOf, mirrored } from "../exchange-formats/connection.js";
import type { Exported } from "../exchange-formats/export-options.js";
import { PRODUCTS } from "../exchange-formats/products.js";
import { Lacks } from "../exchange-formats/spelling.js";
import { CommandError, EXIT, type ExitStatus } from "./exit.js";
import { keylessHost } from "./stand-in-host.js";

export interface ExportFlags {
  readonly config: string;
  readonly for: string;
  readonly address?: string;
  readonly withSecrets?: boolean;
  readonly common?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

export function runExport(tunnel: string, flags: ExportFlags): ExitStatus {
  const product = PRODUCTS[flags.for];
  if (product === undefined || !Object.hasOwn(PRODUCTS, flags.for))
    throw new CommandError(
      EXIT.usage,
      `no product is called "${printable(flags.for)}"; allowed: ${Object.keys(PRODUCTS).join(", ")}`,
    );
  const loaded = loadConfiguration(flags.config, flags.withSecrets ? thisHost() : keylessHost());
  if ("errors" in loaded) {
    for (const error of loaded.errors) process.stderr.write(`${error.message}\n`);
    return EXIT.usage;
  }
  const { configuration } = loaded;
  const policy = configuration.policy.tunnels.find(({ name }) => name === tunnel);
  if (policy === undefined) {
    const names = configuration.policy.tunnels.map(({ name }) => name).join(", ");
    throw new CommandError(
      EXIT.usage,
      `${flags.config} has no tunnel "${printable(tunnel)}"; it has: ${names || "none"}`,
    );
  }
  const routed = configuration.routeModes.has(tunnel);
  const ours = connectionOf(policy, configuration.psk.get(tunnel), outerAddress(policy, flags.address), routed);
  const written = write(
    () => product.write(mirrored(ours), { withSecrets: flags.withSecrets === true, reduce: flags.common === true }),
    tunnel,
    product.title,
  );
  const left = [...leftOut(policy, configuration.exceptions.get(tunnel) ?? []), ...(routed ? [ROUTED] : [])];
  for (const remark of left) process.stderr.write(`${remark}\n`);
  deliver({ ...written, remarks: [...written.remarks, ...left] }, flags);
  return EXIT.done;
}

const ROUTED =
  "the tunnel is in route mode: 0.0.0.0/0 is what is negotiated, and what goes into it is a matter of routes. Give the other end a tunnel interface of its own with routes: where it has policies instead, everything that it sends would go into the tunnel";

/** What only this gateway does: no file of the peer has a word for it. */
function leftOut(
  { split }: Configuration["policy"]["tunnels"][number],
  exceptions: readonly PolicyException[],
): readonly string[] {
  const actions = [...new Set(exceptions.map(({ action }) => `\`${action}\``))].sort();
  const remarks: string[] = [];
  if (actions.length > 0)
    remarks.push(
      `${actions.join(" and ")} of the tunnel ${actions.length === 1 ? "is" : "are"} left out: the peer needs exceptions of its own, or sends through the tunnel what this gateway drops`,
    );
  if (split !== "auto")
    remarks.push(
      `\`split: ${split}\` is left out: it is about what this gateway asks for; the peer answers either way, or has a setting of its own`,
    );
  return remarks;
}

/** As the peer sees us: behind a NAT the identity says it, and not what is bound. */
function outerAddress(
  { localId, localAddress }: Configuration["policy"]["tunnels"][number],
  word: string | undefined,
): Address {
  if (word !== undefined) {
    try {
      return parseAddress(word);
    } catch {
      throw new CommandError(EXIT.usage, `--address: found "${printable(word)}"; allowed: an IP address`);
    }
  }
  const named = localId && /^ipv/.test(localId.type) ? addressFromOctets(localId.data) : localAddress;
  if (named !== undefined) return named;
  throw new CommandError(
    EXIT.usage,
    "the peer has to know the address of this gateway, and neither gateway.address nor local_id says it; name it with --address",
  );
}

function write(make: () => Exported, tunnel: string, title: string): Exported {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof Lacks)) throw error;
    throw new CommandError(
      EXIT.failed,
      `${title} cannot be told everything of tunnel ${printable(tunnel)}; it lacks: ${error.what.join("; ")}` +
        " (--common leaves out the alternatives that it lacks, where others remain)",
    );
  }
}

function deliver({ files, remarks }: Exported, { out, json }: ExportFlags): void {
  if (out !== undefined) {
    mkdirSync(out, { recursive: true, mode: 0o700 });
    for (const { name, text } of files) writeFileSync(join(out, name), text, { mode: 0o600 });
  }
  if (json) process.stdout.write(`${JSON.stringify({ files, remarks }, null, 2)}\n`);
  else if (out !== undefined) for (const { name } of files) process.stdout.write(`${join(out, name)}\n`);
  else if (files.length === 1) process.stdout.write(files[0]!.text);
  else process.stdout.write(files.map(({ name, text }) => `# ---- ${name} ----\n${text}`).join("\n"));
}
