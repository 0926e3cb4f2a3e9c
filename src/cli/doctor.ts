/** `causeway doctor`: looks at the host, the way to the peers and the packets of the tunnels, and says what is wrong. */
import { systemRandom } from "../../crypto/random.js";
import { loadConfiguration } from "../config/load.js";
import type { Configuration } from "../config/model.js";
import { printable } from "../config/problem.js";
import type { Setup } from "../control/diagnosis.js";
import { type Checkup, examine, type Patient } from "../doctor/checkup.js";
import type { Finding, Verdict } from "../doctor/finding.js";
import type { Hop } from "../doctor/hops.js";
import { setupOf } from "../doctor/setup.js";
import { planForThisHost } from "../host/host.js";
import { hostAddresses } from "../host/state.js";
import { fetchDiagnosis } from "./client.js";
import { CommandError, EXIT, type ExitStatus } from "./exit.js";
import { type SocketOptions, socketPath } from "./socket.js";

export interface DoctorOptions extends SocketOptions {
  readonly json?: boolean;
  readonly target?: string;
}

/** Exit status 1 when something is at fault. */
export async function runDoctor(tunnel: string | undefined, options: DoctorOptions): Promise<ExitStatus> {
  const checkup = await checkUp(tunnel, options);
  process.stdout.write(options.json ? `${JSON.stringify(checkup, null, 2)}\n` : renderCheckup(checkup));
  return checkup.cause === null ? EXIT.done : EXIT.failed;
}

/** Throws `CommandError` when there is neither a daemon nor a file, or no such tunnel. */
export async function checkUp(tunnel: string | undefined, options: DoctorOptions): Promise<Checkup> {
  const patient = await findPatient(options);
  if (tunnel !== undefined && !patient.setup.tunnels.some(({ name }) => name === tunnel))
    throw new CommandError(EXIT.failed, `there is no tunnel "${tunnel}"`);
  return examine(
    {
      ...patient,
      ...(tunnel !== undefined && { tunnel }),
      ...(options.target !== undefined && { target: options.target }),
    },
    systemRandom,
  );
}

/** The daemon knows its own configuration best; the file is for a daemon that does not run. */
async function findPatient(options: DoctorOptions): Promise<Patient> {
  const ask = () => fetchDiagnosis(socketPath(options));
  try {
    return { setup: (await ask()).setup, ask };
  } catch (error) {
    if (options.config === undefined) throw error;
    return { setup: await setupOfFile(options.config) };
  }
}

async function setupOfFile(file: string): Promise<Setup> {
  const loaded = loadConfiguration(file);
  if ("errors" in loaded) throw new CommandError(EXIT.usage, loaded.errors.map(({ message }) => message).join("\n"));
  return describeSetup(loaded.configuration);
}

/** Also without `ip`: then there are no addresses, and the doctor says why. */
async function describeSetup(configuration: Configuration): Promise<Setup> {
  const plan = await planForThisHost(configuration);
  const own = await hostAddresses();
  return setupOf(
    configuration,
    plan,
    own.map(({ address }) => address),
  );
}

const MARKS: Readonly<Record<Verdict, string>> = { good: "ok", warning: "warning", fault: "FAULT", unknown: "?" };

export function renderCheckup({ gateway, running, cause, findings, tunnels }: Checkup): string {
  const lines = [`${gateway}: ${running ? "running" : "not running"}`];
  lines.push(...findings.filter(({ tunnel }) => tunnel === undefined).flatMap(renderFinding));
  for (const { name, state, hops } of tunnels) {
    lines.push("", `${name}${state === null ? "" : `: ${state}`}`);
    lines.push(...findings.filter(({ tunnel }) => tunnel === name).flatMap(renderFinding));
    if (hops.length > 0) lines.push(...renderHops(hops));
  }
  lines.push("", cause === null ? "nothing is at fault" : `at fault: ${cause.what}`);
  if (cause?.remedy !== undefined) lines.push(`what to do: ${cause.remedy}`);
  return `${lines.map(printable).join("\n")}\n`;
}

function renderFinding({ verdict, code, what, remedy }: Finding): string[] {
  const line = `  ${MARKS[verdict].padEnd(8)}${code}: ${what}`;
  return remedy === undefined ? [line] : [line, `          -> ${remedy}`];
}

/** One line per direction: what passed while the doctor looked. */
function renderHops(hops: readonly Hop[]): string[] {
  const out = hops.slice(0, 4);
  const back = hops.slice(4);
  return [out, back].map(
    (way, i) =>
      `  ${i === 0 ? "out " : "back"}  ${way.map(({ hop, packets, total }) => `${hop} ${packets} (of ${total})`).join(" -> ")}`,
  );
}
