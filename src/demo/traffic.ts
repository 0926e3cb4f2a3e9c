/**
 * What the hosts of the demo do, as a program of its own; built-ins only. The client prints one line of JSON.
 *
 *   traffic.js serve ADDRESS             answers on UDP and TCP port 7; prints "ready" first
 *   traffic.js echo ADDRESS COUNT        sends datagrams one by one     -> EchoResult
 *   traffic.js transfer ADDRESS OCTETS   sends over TCP, compares sums  -> TransferResult
 */
import { createHash, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface EchoResult {
  readonly sent: number;
  /** Milliseconds of each round trip that ended. */
  readonly trips: readonly number[];
}

export interface TransferResult {
  readonly octets: number;
  readonly seconds: number;
  /** SHA-256 of what left here, and of what arrived there. */
  readonly sent: string;
  readonly received: string;
}

/** The echo service of RFC 862. */
const PORT = 7;
const ECHO_OCTETS = 64;
/** Milliseconds for one echo, and for a connection on which nothing moves. */
const ECHO_TIME = 2_000;
const SILENCE = 10_000;
const CHUNK = 1 << 18;

const [action, address = "", count = ""] = process.argv.slice(2);
if (action === "serve") serve(address);
else if (action === "echo") await echo(address, Number(count));
else if (action === "transfer") transfer(address, Number(count));
else fail(new Error("usage: traffic.js serve ADDRESS | echo ADDRESS COUNT | transfer ADDRESS OCTETS"));

function serve(here: string): void {
  const datagrams = createSocket("udp4");
  datagrams.on("message", (data, { port, address: from }) => datagrams.send(data, port, from));
  datagrams.on("error", fail);
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const hash = createHash("sha256");
    socket.on("data", (chunk) => hash.update(chunk));
    socket.on("end", () => socket.end(hash.digest("hex")));
    socket.on("error", () => socket.destroy());
  });
  server.on("error", fail);
  datagrams.bind(PORT, here, () => server.listen(PORT, here, () => console.log("ready")));
}

async function echo(there: string, wanted: number): Promise<void> {
  const socket = createSocket("udp4");
  const trips: number[] = [];
  socket.on("error", fail);
  for (let sent = 0; sent < wanted; sent++) {
    const data = randomBytes(ECHO_OCTETS);
    const begun = performance.now();
    const answered = new Promise<number | undefined>((resolve) => {
      const late = setTimeout(() => resolve(undefined), ECHO_TIME);
      socket.on("message", function hear(answer) {
        if (!answer.equals(data)) return; // of an earlier one
        clearTimeout(late);
        socket.off("message", hear);
        resolve(performance.now() - begun);
      });
    });
    socket.send(data, PORT, there);
    const trip = await answered;
    if (trip !== undefined) trips.push(trip);
    await sleep(50);
  }
  socket.close();
  print({ sent: wanted, trips });
}

/** Random octets, with a number at the front of each chunk so that no two are the same. */
function transfer(there: string, octets: number): void {
  const hash = createHash("sha256");
  const random = randomBytes(CHUNK);
  const socket = connect({ host: there, port: PORT, timeout: SILENCE });
  const begun = performance.now();
  let left = octets;
  let answer = "";
  const fill = (): void => {
    while (left > 0) {
      const chunk = Buffer.from(random.subarray(0, Math.min(CHUNK, left)));
      chunk.writeUInt32BE(left % 2 ** 32);
      left -= chunk.length;
      hash.update(chunk);
      if (!socket.write(chunk)) return void socket.once("drain", fill);
    }
    socket.end();
  };
  socket.setEncoding("utf8");
  socket.on("connect", fill);
  socket.on("data", (text: string) => {
    answer += text;
  });
  socket.on("timeout", () => fail(new Error(`nothing moved for ${SILENCE / 1000} s, ${left} octets before the end`)));
  socket.on("error", fail);
  socket.on("end", () =>
    print({ octets, seconds: (performance.now() - begun) / 1000, sent: hash.digest("hex"), received: answer }),
  );
}

function print(result: EchoResult | TransferResult): void {
  console.log(JSON.stringify(result));
}

function fail(error: Error): void {
  console.error(error.message);
  process.exit(1);
}
