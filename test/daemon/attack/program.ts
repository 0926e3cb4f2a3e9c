/**
 * The attacker on the link between two gateways, as a program: `record FILE` writes down what passes until it is ended, the other
 * words attack both gateways with what was recorded. Prints one line of JSON about what it did.
 *
 *     program.js WORD FILE SECONDS LEFT_DEVICE LEFT_MAC LEFT_IP RIGHT_DEVICE RIGHT_MAC RIGHT_IP
 */
import { appendFileSync, readFileSync } from "node:fs";
import { decodeRawHeader, ikeHeader } from "../../../ike/wire/header.js";
import { decodeMessage, encodeMessage, payload } from "../../../ike/wire/message.js";
import { notification } from "../../../ike/wire/payloads/notify.js";
import { seededRandom } from "../../sim/random.js";
import { type Captured, makeFrames, readFrame } from "./frames.js";
import { type Link, openLink } from "./link.js";
import { spoiled, withLength } from "./spoil.js";

interface Victim {
  readonly link: Link;
  readonly mac: Uint8Array;
  readonly ip: string;
}

const IKE_PORT = 500;
const NAT_T_PORT = 4500;
const MARKER_BYTES = 4;

const [word = "", file = "", seconds = "1", ...places] = process.argv.slice(2);
const end = performance.now() + Number(seconds) * 1000;
const victims: readonly Victim[] = [0, 3].map((i) => ({
  link: openLink(places[i]!),
  mac: Uint8Array.from(places[i + 1]!.split(":").map((octet) => Number.parseInt(octet, 16))),
  ip: places[i + 2]!,
}));
const random = seededRandom(word.length);
const done = { sent: 0, lost: 0, cookies: 0, refusals: 0, accepted: 0 };

function send(captured: Captured): void {
  const victim = victims.find(({ ip }) => ip === captured.destination);
  if (victim === undefined) return;
  for (const frame of makeFrames({ ...captured, to: victim.mac })) {
    if (victim.link.send(frame)) done.sent++;
    else done.lost++;
  }
}

function record(): void {
  for (;;) {
    const frame = victims[0]!.link.receive();
    if (frame === undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    else if (readFrame(frame) !== undefined) appendFileSync(file, `${Buffer.from(frame).toString("hex")}\n`);
    if (performance.now() > end) return;
  }
}

function recorded(): readonly Captured[] {
  const lines = readFileSync(file, "utf8").split("\n").filter(Boolean);
  return lines.flatMap((line) => readFrame(new Uint8Array(Buffer.from(line, "hex"))) ?? []);
}

const isIke = ({ kind, sourcePort, destinationPort }: Captured) =>
  kind === "udp" && [IKE_PORT, NAT_T_PORT].some((port) => port === sourcePort || port === destinationPort);

/** With the next sequence number and a spoiled rest, bare or inside UDP. */
function forgedEsp(packet: Captured): Captured {
  const bytes = packet.payload.slice();
  if (bytes.length < 8) return packet;
  const view = new DataView(bytes.buffer);
  view.setUint32(4, view.getUint32(4) + random.between(0, 5000));
  for (let i = random.integer(4); i > 0; i--) bytes[random.between(8, bytes.length - 1)]! ^= random.between(1, 255);
  const cut = random.chance(0.3) ? bytes.subarray(0, random.integer(bytes.length)) : bytes;
  if (random.chance(0.5)) return { ...packet, payload: cut };
  return { ...packet, kind: "udp", sourcePort: NAT_T_PORT, destinationPort: NAT_T_PORT, payload: cut };
}

/** What a peer may be called from: itself, the other gateway, or anybody. */
function anySource(packet: Captured): string {
  return random.pick([packet.source, packet.source, "198.18.0.7", "255.255.255.255", packet.destination]);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Sends what `make` gives until the time is up, `perMillisecond` at a time, and looks at what comes back. */
async function rounds(perMillisecond: number, make: () => Captured, seen: (captured: Captured) => void = () => {}) {
  while (performance.now() < end) {
    for (let i = 0; i < perMillisecond; i++) send(make());
    drain(seen);
    await pause(1);
  }
  drain(seen);
}

function drain(seen: (captured: Captured) => void): void {
  for (const { link } of victims)
    for (let frame = link.receive(); frame !== undefined; frame = link.receive()) {
      const captured = readFrame(frame);
      if (captured !== undefined) seen(captured);
    }
}

async function replay(packets: readonly Captured[]): Promise<void> {
  for (let turn = 0; turn < 3; turn++)
    for (const [i, packet] of packets.entries()) {
      send(packet);
      if (i % 20 === 0) await pause(1);
    }
}

function mutate(messages: readonly Captured[]): Promise<void> {
  return rounds(4, () => {
    const message = random.pick(messages);
    const marked = message.destinationPort === NAT_T_PORT || message.sourcePort === NAT_T_PORT;
    const ike = marked ? message.payload.subarray(MARKER_BYTES) : message.payload;
    const bytes = spoiled(ike, random);
    const port = random.pick([IKE_PORT, IKE_PORT, NAT_T_PORT]);
    const body = port === NAT_T_PORT ? new Uint8Array([...new Uint8Array(MARKER_BYTES), ...bytes]) : bytes;
    const sourcePort = random.pick([IKE_PORT, NAT_T_PORT, 0, 53, 65535]);
    return { ...message, source: anySource(message), sourcePort, destinationPort: port, payload: body };
  });
}

/** From nothing to 65 kB, with and without a true header. */
function lengths(messages: readonly Captured[], esp: readonly Captured[]): Promise<void> {
  return rounds(1, () => {
    const message = random.pick(messages);
    const length = random.pick([0, 1, 3, 4, 7, 8, 27, 28, 31, 32, 1472, 9000, 40_000, 65_507]);
    const bytes = random.octets(Math.min(length, 2000));
    const long = new Uint8Array(length);
    long.set(bytes);
    const like = random.pick([...esp, message]).payload;
    if (random.chance(0.7)) long.set(like.subarray(0, Math.min(like.length, length, 24)));
    if (random.chance(0.5)) withLength(long);
    const destinationPort = random.pick([IKE_PORT, NAT_T_PORT]);
    return { ...message, kind: "udp", sourcePort: IKE_PORT, destinationPort, payload: long };
  });
}

/** First requests from thousands of addresses and ports, well-formed. */
function flood(messages: readonly Captured[]): Promise<void> {
  const first = messages.find(({ payload: bytes }) => isFirstRequest(bytes))!;
  const right = victims[1]!.ip;
  return rounds(
    3,
    () => {
      const bytes = first.payload.slice();
      bytes.set(random.octets(8), 0);
      const source = `198.${18 + random.integer(2)}.${random.integer(256)}.${random.between(1, 254)}`;
      const sourcePort = random.between(1024, 65535);
      return { ...first, source, sourcePort, destination: right, destinationPort: IKE_PORT, payload: bytes };
    },
    ({ source, destination, payload: bytes }) => {
      if (source !== right || !destination.startsWith("198.") || bytes.length < 28) return;
      const only = decodeMessage(bytes).payloads[0];
      if (only?.kind === "SA") done.accepted++;
      else if (only?.kind === "N" && only.body.notify === "COOKIE") done.cookies++;
      else done.refusals++;
    },
  );
}

function isFirstRequest(bytes: Uint8Array): boolean {
  if (bytes.length < 28) return false;
  const { exchange, response, responderSpi } = ikeHeader(decodeRawHeader(bytes));
  return exchange === "IKE_SA_INIT" && !response && responderSpi === 0n;
}

/** Each first request that passes is answered at once with every refusal there is, in the name of the one who was asked. */
async function refuse(): Promise<void> {
  const refusals = [
    notification("NO_PROPOSAL_CHOSEN"),
    notification("AUTHENTICATION_FAILED"),
    notification("INVALID_SYNTAX"),
    notification("INVALID_KE_PAYLOAD", new Uint8Array([0, 2])),
    notification("COOKIE", new Uint8Array(0)),
  ];
  await rounds(0, nothing, (captured) => {
    if (!isIke(captured) || !isFirstRequest(captured.payload)) return;
    const { header } = decodeMessage(captured.payload);
    const { source, destination } = captured;
    for (const refusal of refusals) {
      const bytes = encodeMessage({ ...header, response: true, fromInitiator: false }, [payload("N", refusal)]);
      done.refusals++;
      send({
        ...captured,
        source: destination,
        destination: source,
        sourcePort: IKE_PORT,
        destinationPort: captured.sourcePort,
        payload: bytes,
      });
    }
  });
}

function nothing(): never {
  throw new Error("nothing is sent unasked");
}

async function attack(): Promise<void> {
  if (word === "record") return record();
  const packets = recorded();
  const messages = packets.filter(isIke);
  const esp = packets.filter(({ kind }) => kind === "esp");
  switch (word) {
    case "replay":
      return replay(packets);
    case "mutate":
      return mutate(messages);
    case "esp":
      return rounds(4, () => forgedEsp(random.pick(esp)));
    case "lengths":
      return lengths(messages, esp);
    case "flood":
      return flood(messages);
    case "refuse":
      return refuse();
    default:
      throw new Error(`no such attack: ${word}`);
  }
}

await attack();
process.stdout.write(`${JSON.stringify(done)}\n`, () => process.exit(0));
