/**
 * `packets.c` for hosts without a C compiler: the same arguments, the same datagrams, the same output, and several times its
 * cost per packet, which then bounds what can be measured.
 */
import { createSocket, type Socket } from "node:dgram";

const DATA = 1;
const QUESTION = 2;
const MEMORY = 16 << 20;
const BURST = 32;

const [action, ...rest] = process.argv.slice(2);
if (action === "sink" && rest.length === 1) sink(Number(rest[0]));
else if (action === "send" && rest.length === 5)
  send(rest[0]!, Number(rest[1]), Number(rest[2]), Number(rest[3]), Number(rest[4]) / 1000);
else throw new Error("usage: packets-program.js sink PORT | send ADDRESS PORT OCTETS RATE MILLISECONDS");

function sink(port: number): void {
  const socket = createSocket({ type: "udp4", recvBufferSize: MEMORY });
  const answer = Buffer.alloc(16);
  let run = 0;
  let count = 0;
  socket.on("message", (data, from) => {
    if (data.length < 8) return;
    if (data.readUInt32LE(4) !== run) {
      run = data.readUInt32LE(4);
      count = 0;
    }
    if (data.readUInt32LE(0) === DATA) {
      count++;
      return;
    }
    answer.writeUInt32LE(QUESTION, 0);
    answer.writeUInt32LE(run, 4);
    answer.writeBigUInt64LE(BigInt(count), 8);
    socket.send(answer, from.port, from.address);
  });
  socket.bind(port, () => console.log("listening"));
}

function send(address: string, port: number, octets: number, rate: number, length: number): void {
  const socket = createSocket({ type: "udp4", sendBufferSize: MEMORY });
  const run = (process.pid ^ (Date.now() * 1000)) >>> 0;
  const data = Buffer.alloc(octets, 0x5a);
  data.writeUInt32LE(DATA, 0);
  data.writeUInt32LE(run, 4);
  socket.connect(port, address, () => {
    const begun = performance.now() / 1000;
    let origin = begun;
    let sent = 0;
    let waiting = 0;
    const turn = (): void => {
      const now = performance.now() / 1000;
      if (now - begun >= length) {
        const elapsed = now - begun;
        void received(socket, run).then((count) => {
          console.log(`${sent} ${count} ${elapsed.toFixed(6)}`);
          socket.close();
        });
        return;
      }
      let behind = (now - origin) * rate - sent;
      if (behind > rate * 0.002 + BURST) {
        origin += (behind - BURST) / rate;
        behind = BURST;
      }
      for (let i = 0; i < Math.min(behind, BURST) && waiting < 4 * BURST; i++) {
        waiting++;
        socket.send(data, (error) => {
          waiting--;
          if (!error) sent++;
        });
      }
      setImmediate(turn);
    };
    turn();
  });
}

/** Asks until two answers agree: by then nothing of the run is on its way any more. */
async function received(socket: Socket, run: number): Promise<number> {
  const question = Buffer.alloc(8);
  question.writeUInt32LE(QUESTION, 0);
  question.writeUInt32LE(run, 4);
  const answers: number[] = [];
  socket.on("message", (data) => {
    if (data.length === 16 && data.readUInt32LE(4) === run) answers.push(Number(data.readBigUInt64LE(8)));
  });
  for (let attempt = 0; attempt < 25; attempt++) {
    socket.send(question);
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (answers.length > 1 && answers.at(-1) === answers.at(-2)) return answers.at(-1)!;
  }
  throw new Error("the sink does not answer");
}
