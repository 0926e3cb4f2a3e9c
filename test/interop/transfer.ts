/**
 * A TCP transfer whose content can be checked: both ends print one line of JSON with octets, SHA-256 and seconds.
 *
 *   transfer.js receive ADDRESS PORT         prints `listening` first; ends after one connection
 *   transfer.js send ADDRESS PORT OCTETS
 */
import { createCipheriv, createHash } from "node:crypto";
import { connect, createServer } from "node:net";

export interface TransferResult {
  readonly octets: number;
  readonly sha256: string;
  readonly seconds: number;
}

const CHUNK = 1 << 18;

if (process.argv[1] === import.meta.filename) {
  const [action, address = "", port = "", octets = ""] = process.argv.slice(2);
  if (action === "receive") receive(address, Number(port));
  else if (action === "send") send(address, Number(port), Number(octets));
  else throw new Error("usage: transfer.js receive ADDRESS PORT | send ADDRESS PORT OCTETS");
}

function receive(address: string, port: number): void {
  const server = createServer((socket) => {
    server.close();
    const hash = createHash("sha256");
    const begun = performance.now();
    let octets = 0;
    socket.on("data", (chunk) => {
      octets += chunk.length;
      hash.update(chunk);
    });
    socket.on("end", () => {
      print({ octets, sha256: hash.digest("hex"), seconds: (performance.now() - begun) / 1000 });
      socket.end("done\n");
    });
    socket.on("error", fail);
  });
  server.on("error", fail);
  server.listen(port, address, () => console.log("listening"));
}

/** Sends a key stream that differs from run to run, and waits until the receiver has read it all. */
function send(address: string, port: number, total: number): void {
  const stream = createCipheriv(
    "aes-128-ctr",
    createHash("md5").update(`${process.pid} ${Date.now()}`).digest(),
    Buffer.alloc(16),
  );
  const hash = createHash("sha256");
  const zero = Buffer.alloc(CHUNK);
  const socket = connect({ host: address, port, timeout: 20_000 });
  const begun = performance.now();
  let octets = 0;
  const fill = (): void => {
    while (octets < total) {
      const chunk = stream.update(zero.subarray(0, Math.min(CHUNK, total - octets)));
      octets += chunk.length;
      hash.update(chunk);
      if (!socket.write(chunk)) return void socket.once("drain", fill);
    }
    socket.end();
  };
  socket.on("connect", fill);
  socket.on("timeout", () => fail(new Error(`nothing moved for 20 s after ${octets} of ${total} octets`)));
  socket.on("error", fail);
  socket.on("data", () => {});
  socket.on("end", () => print({ octets, sha256: hash.digest("hex"), seconds: (performance.now() - begun) / 1000 }));
}

function print(result: TransferResult): void {
  console.log(JSON.stringify(result));
}

function fail(error: Error): void {
  console.error(`transfer: ${error.message}`);
  process.exit(1);
}
