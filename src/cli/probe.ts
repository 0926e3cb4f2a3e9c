/** `causeway probe`: what a peer accepts, and a tunnel for it. */
import { lookup } from "node:dns/promises";
import { systemRandom } from "../../crypto/random.js";
import { type Address, type Prefix, parseAddress, parsePrefix } from "../../esp/address.js";
import { anySelector, selectorFromPrefix } from "../../esp/selector.js";
import { type Identity, parseIdentity } from "../../ike/core/identity.js";
import { acceptedChildWords } from "../../ike/probe/child-questions.js";
import { acceptedWords } from "../../ike/probe/questions.js";
import { printable } from "../config/problem.js";
import { readPsk } from "../config/psk.js";
import { thisHost } from "../config/surroundings.js";
import { tunnelBlock } from "../probe/block.js";
import type { AskedChildren, Membership } from "../probe/children.js";
import { USUAL_RATE } from "../probe/exchange.js";
import { modeOf, type ProbeResult, probePeer } from "../probe/peer.js";
import { CommandError, EXIT, type ExitStatus } from "./exit.js";

export interface ProbeOptions {
  readonly port?: string;
  readonly rate?: string;
  readonly ike?: string;
  readonly address?: string;
  readonly json?: boolean;
  /** Also asks for algorithms of ESP, as the tunnel that is printed. */
  readonly esp?: boolean;
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
    ...(options.localId !== undefined && { localId: readIdentity(options.localId, "--local-id") }),
  };
  const member = options.esp ? memberOf(options, question.remote) : undefined;
  const result = await probePeer(
    { ...question, ...(member && { member }) },
    {
      random: systemRandom,
      now: () => performance.now(),
      wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
      progress: createProgress(options.json === true),
    },
  );
  const block = blockOf(peer, result, options);
  process.stdout.write(options.json ? `${JSON.stringify(asJson(result, block), null, 2)}\n` : render(result, block));
  return block === undefined ? EXIT.failed : EXIT.done;
}

/** Each sentence once in a row, for somebody who watches. */
export function createProgress(silent: boolean): (sentence: string) => void {
  let last = "";
  return (sentence) => {
    if (sentence === last || silent || !process.stderr.isTTY) return;
    last = sentence;
    process.stderr.write(`${sentence}\n`);
  };
}

function blockOf(peer: string, { versions }: ProbeResult, options: ProbeOptions): string | undefined {
  const { pskFile, localId, peerId } = options;
  const given = {
    ...(pskFile !== undefined && { pskFile }),
    ...(localId !== undefined && { localId }),
    ...(peerId !== undefined && { peerId }),
  };
  for (const version of [2, 1] as const) {
    const { accepted, modes, children } = versions[version] ?? {};
    if (accepted === undefined) continue;
    const local = options.local ?? networkOf(children?.local);
    const remote = options.remote ?? networkOf(children?.remote);
    return tunnelBlock({
      name: nameOf(peer),
      peer,
      version,
      accepted,
      ...(version === 1 && { exchange: modeOf(modes) }),
      ...(children?.accepted && { children: children.accepted }),
      ...given,
      ...(local !== undefined && { local }),
      ...(remote !== undefined && { remote }),
    });
  }
  return undefined;
}

/** The one network that the peer narrowed ours to; undefined: it has several, or takes all. */
function networkOf(networks: readonly string[] | undefined): string | undefined {
  const [network, ...others] = networks ?? [];
  return network === undefined || others.length > 0 || network.endsWith("/0") ? undefined : network;
}

/** Throws `CommandError` for what is missing or cannot be read. */
function memberOf({ pskFile, local, remote, localId, peerId }: ProbeOptions, { family }: Address): Membership {
  if (pskFile === undefined)
    throw new CommandError(EXIT.usage, "--esp needs --psk-file: a peer tells its algorithms of ESP to nobody else");
  const key = readPsk({ file: pskFile }, ".", thisHost());
  if ("problem" in key) throw new CommandError(EXIT.usage, `--psk-file: ${key.problem}`);
  const selector = (text: string | undefined, option: string) =>
    text === undefined ? anySelector(family) : selectorFromPrefix(readPrefix(text, option));
  return {
    psk: key.psk,
    ...(localId !== undefined && { localId: readIdentity(localId, "--local-id") }),
    ...(peerId !== undefined && { peerId: readIdentity(peerId, "--peer-id") }),
    local: selector(local, "--local"),
    remote: selector(remote, "--remote"),
  };
}

function nameOf(peer: string): string {
  return `peer-${peer.replace(/[^\w.-]/g, "-")}`.slice(0, 60);
}

function asJson({ remote, versions, vendors, packets }: ProbeResult, block: string | undefined) {
  const version = (number: 1 | 2) => {
    const result = versions[number];
    if (result === undefined) return null;
    const { verdict, accepted, note, modes, children } = result;
    return {
      verdict,
      ...(note !== undefined && { note }),
      ...(accepted && { accepted: acceptedWords(accepted) }),
      ...(modes && { modes }),
      ...(children && { esp: childrenAsJson(children) }),
    };
  };
  return { peer: remote, ikev2: version(2), ikev1: version(1), vendors, packets, block: block ?? null };
}

function childrenAsJson({ verdict, accepted, local, remote, note }: AskedChildren) {
  return {
    verdict,
    ...(note !== undefined && { note }),
    ...(accepted && { accepted: acceptedChildWords(accepted) }),
    ...(local && remote && { local, remote }),
  };
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
    if (found.modes) lines.push(`  modes       main ${found.modes.main}, aggressive ${found.modes.aggressive}`);
    if (found.children) lines.push(...renderChildren(found.children));
  }
  if (result.vendors.length > 0) lines.push(`says of itself: ${result.vendors.join(", ")}`);
  const text = lines.map((line) => `${printable(line)}\n`).join("");
  return block === undefined ? text : `${text}\n${block}`;
}

function renderChildren({ verdict, accepted, local = [], remote = [], note }: AskedChildren): readonly string[] {
  if (accepted === undefined)
    return [`  ESP: ${verdict === "refused" ? "nothing that we know is accepted" : `not learnt: ${note}`}`];
  const { encryption, integrity, pfs, sequence } = acceptedChildWords(accepted);
  return [
    "  ESP:",
    `    encryption  ${encryption.join(" ")}`,
    ...(integrity.length > 0 ? [`    integrity   ${integrity.join(" ")}`] : []),
    `    PFS         ${pfs.join(" ")}`,
    `    sequence    ${sequence.join(" ")}`,
    `    networks    ${local.join(" ")} here, ${remote.join(" ")} at the peer`,
  ];
}

/** Of an address or a name. Throws `CommandError`. */
export async function addressOf(peer: string): Promise<Address> {
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

function readPrefix(text: string, option: string): Prefix {
  try {
    return parsePrefix(text);
  } catch {
    throw new CommandError(EXIT.usage, `${option} ${text}: a network is wanted`);
  }
}

function readIdentity(text: string, option: string): Identity {
  try {
    return parseIdentity(text);
  } catch (error) {
    throw new CommandError(EXIT.usage, `${option} ${text}: ${(error as Error).message}`);
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
