/** The demo itself, as the first process of its namespaces: seven steps, each with a line or two of what happened. */
import { randomBytes } from "node:crypto";
import { Socket } from "node:net";
import { join } from "node:path";
import { formatOctets } from "../cli/words.js";
import { configuration, established, type Gateway, startGateway, statusText } from "./gateway.js";
import { buildNetwork, LEFT, RIGHT } from "./network.js";
import { ask, type Program, start, until } from "./program.js";
import type { EchoResult, TransferResult } from "./traffic.js";

const TRAFFIC = join(import.meta.dirname, "traffic.js");
const PINGS = 5;
const TRANSFER = 100 * 1024 * 1024;
/** Seconds that a gateway has to end in an orderly way; the manual promises five. */
const STOP_TIME = 10;
/** What is shown of a log when something went wrong. */
const LOG_LINES = 15;

const PICTURE = `
    left-host              left                         right              right-host
    ${LEFT.host}  ---  ${LEFT.gateway} | ${LEFT.outer}  ===  ${RIGHT.outer} | ${RIGHT.gateway}  ---  ${RIGHT.host}
`;

const logs = new Map<string, Program>();
watchParent();
process
  .on("SIGINT", () => stopped(130))
  .on("SIGTERM", () => stopped(143))
  .on("SIGHUP", () => stopped(129));
try {
  await tell();
} catch (error) {
  console.error(`\nThe demo failed: ${(error as Error).message}`);
  for (const [name, program] of logs) console.error(`\nThe last lines of ${name}:\n${lastLines(program.output())}`);
  process.exit(1);
}
process.exit(0);

async function tell(): Promise<void> {
  console.log("Causeway demo: two sites, a gateway for each, and a tunnel between the gateways.");
  console.log("All of it is in network namespaces of its own; this host's network is not touched.");
  console.log(PICTURE);

  step(1, "The network: four hosts, as drawn.");
  await buildNetwork();
  const server = start("right-host", "right-host", TRAFFIC, "serve", RIGHT.host);
  logs.set("right-host", server);
  await until("the host on the right", 20, async () => (server.output().startsWith("ready") ? true : undefined));
  await expectNoWay();
  say("Without a tunnel left-host cannot reach right-host.");

  step(2, "The gateways: `causeway run -c left.yaml`, the same on the right, and a new key for both.");
  console.log(indent(configuration(LEFT, RIGHT)));
  const psk = randomBytes(32).toString("base64");
  const [left, right] = [startGateway(LEFT, RIGHT, psk), startGateway(RIGHT, LEFT, psk)];
  for (const { site, program } of [left, right]) logs.set(`gateway ${site.name}`, program);

  step(3, "The tunnel: IKEv2 agrees on algorithms and keys.");
  const tunnel = await established(left);
  await established(right);
  say(`IKE  ${tunnel.ike?.proposal ?? "none"}`);
  say(`ESP  ${tunnel.children[0]?.proposal ?? "none"}`);

  step(4, "Pings from left-host to right-host (UDP echo).");
  await ping();

  step(5, `A TCP transfer of ${formatOctets(TRANSFER)} from left-host to right-host.`);
  await transfer();

  step(6, "What `causeway status -c left.yaml` says:");
  console.log(indent(await statusText(left)));

  step(7, "The end: both gateways delete the tunnel and take away what they have set up.");
  for (const gateway of [left, right]) await stop(gateway);
  say("Both ended in good order.");
}

async function expectNoWay(): Promise<void> {
  const reached = await ask("probe", "left-host", TRAFFIC, "transfer", RIGHT.host, "1").catch(() => undefined);
  if (reached !== undefined)
    throw new Error("left-host reaches right-host without a tunnel: the network is not as drawn");
}

async function ping(): Promise<void> {
  const { sent, trips } = JSON.parse(
    await ask("ping", "left-host", TRAFFIC, "echo", RIGHT.host, String(PINGS)),
  ) as EchoResult;
  if (trips.length === 0) throw new Error("no ping came back");
  const sorted = trips.toSorted((a, b) => a - b);
  const words = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].map((trip) => trip?.toFixed(2)).join(" / ");
  say(`${trips.length} of ${sent} came back; round trip ${words} ms (least / median / most)`);
}

async function transfer(): Promise<void> {
  const result = JSON.parse(
    await ask("transfer", "left-host", TRAFFIC, "transfer", RIGHT.host, String(TRANSFER)),
  ) as TransferResult;
  if (result.sent !== result.received)
    throw new Error(`what arrived is not what was sent: SHA-256 ${result.received}, sent ${result.sent}`);
  say(`SHA-256 ${result.sent.slice(0, 16)}... is the same at both ends.`);
  const rate = (result.octets * 8) / result.seconds / 1e6;
  say(
    `${rate.toFixed(0)} Mbit/s in ${result.seconds.toFixed(1)} s, with both gateways and both hosts on this machine.`,
  );
}

async function stop({ site, program }: Gateway): Promise<void> {
  const status = await program.stop(STOP_TIME);
  if (status !== 0) throw new Error(`gateway ${site.name} ended with status ${status}`);
}

/** The other end of this pipe is held by the demo's command: when it is gone, so are we. */
function watchParent(): void {
  const pipe = new Socket({ fd: 3, readable: true, writable: false });
  pipe.on("close", () => stopped(1)).on("error", () => stopped(1));
  pipe.resume();
  pipe.unref();
}

function stopped(status: number): void {
  console.log("\nStopped.");
  process.exit(status);
}

function step(number: number, title: string): void {
  console.log(`${number}. ${title}`);
}

function say(text: string): void {
  console.log(`   ${text}`);
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^(?=.)/gm, "   ");
}

function lastLines(text: string): string {
  return indent(text.trimEnd().split("\n").slice(-LOG_LINES).join("\n") || "(it said nothing)");
}
