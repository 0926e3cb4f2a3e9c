/** `causeway probe`: what a peer accepts, and a tunnel for it. */
import { lookup } from "node:dns/promises";
import { systemRandom } from "../../crypto/random.js";
import { type Address, parseAddress } from "../../esp/address.js";
import { acceptedWords } from "../../ike/probe/questions.js";
import { printable } from "../config/problem.js";
import { tunnelBlock } from "../probe/block.js";
import { USUAL_RATE } from "../probe/exchange.js";
import { type ProbeResult, probePeer } from "../probe/peer.js";
import { CommandError, EXIT, type ExitStatus } from "./exit.js";

export interface ProbeOptions {
  readonly port?: string;
  readonly rate?: string;
  readonly ike?: string;
  readonly address?: string;
  readonly json?: boolean;
  /** What goes into the printed tunnel as it is. */
  readonly pskFile?: string;
  readonly local?: string;
  readonly remote?: string;
  readonly localId?: string;
  readonly peerId?: string;
}

const MOST_RATE = 100;

/** Exit status 1 when the peer accepts nothing. */
export async function runProbe(peer: string, options: ProbeOptions): Promise<ExitStatus> {
  const question = {
    remote: await addressOf(peer),
    ...(options.address !== undefined && { local: readAddress(options.address, "--address") }),
    port: numberOf("--port", options.port ?? "500", 65_535),
    rate: numberOf("--rate", options.rate ?? String(USUAL_RATE), MOST_RATE),
    versions: versionsOf(options.ike),
  };
  const result = await probePeer(question, {
    random: systemRandom,
    now: () => performance.now(),
    wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    progress: createProgress(options.json === true),
  });
  const block = blockOf(peer, result, options);
  process.stdout.write(options.json ? `${JSON.stringify(asJson(result, block), null, 2)}\n` : render(result, block));
  return block === undefined ? EXIT.failed : EXIT.done;
}

/** Each sentence once in a row, for somebody who watches. */
function createProgress(silent: boolean): (sentence: string) => void {
  let last = "";
  return (sentence) => {
    if (sentence === last || silent || !process.stderr.isTTY) return;
    last = sentence;
    process.stderr.write(`${sentence}\n`);
  };
}

function blockOf(peer: string, { versions }: ProbeResult, options: ProbeOptions): string | undefined {
  const { pskFile, local, remote, localId, peerId } = options;
  const given = {
    ...(pskFile !== undefined && { pskFile }),
    ...(local !== undefined && { local }),
    ...(remote !== undefined && { remote }),
    ...(localId !== undefined && { localId }),
    ...(peerId !== undefined && { peerId }),
  };
  for (const version of [2, 1] as const) {
    const accepted = versions[version]?.accepted;
    if (accepted) return tunnelBlock({ name: nameOf(peer), peer, version, accepted, ...given });
  }
  return undefined;
}

function nameOf(peer: string): string {
  return `peer-${peer.replace(/[^\w.-]/g, "-")}`.slice(0, 60);
}

function asJson({ remote, versions, vendors, packets }: ProbeResult, block: string | undefined) {
  const version = (number: 1 | 2) => {
    const result = versions[number];
    if (result === undefined) return null;
    const { verdict, accepted, note } = result;
    return { verdict, ...(note !== undefined && { note }), ...(accepted && { accepted: acceptedWords(accepted) }) };
  };
  return { peer: remote, ikev2: version(2), ikev1: version(1), vendors, packets, block: block ?? null };
}

const VERDICT_WORDS = {
  accepted: "spoken",
  refused: "answered, and nothing that we know is accepted",
  silent: "no answer",
} as const;

function render(result: ProbeResult, block: string | undefined): string {
  const lines = [`${result.remote}: ${result.packets} packets sent`];
  for (const version of [2, 1] as const) {
    const found = result.versions[version];
    if (found === undefined) continue;
    lines.push(`IKEv${version}: ${VERDICT_WORDS[found.verdict]}${found.note === undefined ? "" : `; ${found.note}`}`);
    if (found.accepted === undefined) continue;
    const { encryption, integrity, prf, groups } = acceptedWords(found.accepted);
    lines.push(`  encryption  ${encryption.join(" ")}`);
    if (integrity.length > 0) lines.push(`  ${version === 1 ? "hash     " : "integrity"}   ${integrity.join(" ")}`);
    if (version === 2) lines.push(`  prf         ${prf.join(" ")}`);
    lines.push(`  groups      ${groups.join(" ")}`);
  }
  if (result.vendors.length > 0) lines.push(`says of itself: ${result.vendors.join(", ")}`);
  const text = lines.map((line) => `${printable(line)}\n`).join("");
  return block === undefined ? text : `${text}\n${block}`;
}

async function addressOf(peer: string): Promise<Address> {
  try {
    return parseAddress(peer);
  } catch {
    // Not an address: a name.
  }
  try {
    return parseAddress((await lookup(peer)).address);
  } catch (error) {
    throw new CommandError(
      EXIT.failed,
      `the name ${peer} cannot be resolved: ${(error as NodeJS.ErrnoException).code ?? error}`,
    );
  }
}

function readAddress(text: string, option: string): Address {
  try {
    return parseAddress(text);
  } catch {
    throw new CommandError(EXIT.usage, `${option} ${text}: an address is wanted`);
  }
}

function numberOf(option: string, text: string, most: number): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > most)
    throw new CommandError(EXIT.usage, `${option} ${text}: a whole number from 1 to ${most} is wanted`);
  return number;
}

function versionsOf(text: string | undefined): readonly (1 | 2)[] {
  if (text === undefined) return [2, 1];
  if (text === "1") return [1];
  if (text === "2") return [2];
  throw new CommandError(EXIT.usage, `--ike ${text}: 1 or 2 is wanted`);
}
