/**
 * Traffic for tests, one side per process:
 *
 *     transfer-program.js receive tcp|udp ADDRESS PORT          prints { bytes, sha256 } of each connection,
 *                                                               or echoes datagrams, until it is killed
 *     transfer-program.js send    tcp|udp ADDRESS PORT AMOUNT   AMOUNT octets (tcp), or that many datagrams of growing size (udp):
 *                                                               prints the same, or { sent, echoed }
 */
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";

const [role, protocol, address, port, amount] = process.argv.slice(2) as [string, string, string, string, string];
const print = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** The same octets in every run, no period that divides a packet. */
function pattern(length: number, offset: number): Buffer {
  const block = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) block[i] = ((offset + i) * 2654435761) >>> 13;
  return block;
}

function receiveTcp(): void {
  const server = createServer((socket) => {
    const hash = createHash("sha256");
    let bytes = 0;
    socket.on("data", (chunk) => {
      hash.update(chunk);
      bytes += chunk.length;
    });
    socket.on("end", () => {
      print({ bytes, sha256: hash.digest("hex") });
    });
  });
  server.listen(Number(port), address, () => print("listening"));
}

function sendTcp(): void {
  const hash = createHash("sha256");
  const total = Number(amount);
  const socket = connect(Number(port), address);
  let sent = 0;
  const more = () => {
    while (sent < total) {
      const block = pattern(Math.min(65521, total - sent), sent);
      hash.update(block);
      sent += block.length;
      if (!socket.write(block)) return;
    }
    socket.off("drain", more);
    socket.end();
  };
  socket.on("connect", more);
  socket.on("drain", more);
  socket.on("close", () => print({ bytes: sent, sha256: hash.digest("hex") }));
}

function receiveUdp(): void {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("message", (message, from) => socket.send(message, from.port, from.address));
  socket.bind(Number(port), address, () => print("listening"));
}

function sendUdp(): void {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  const count = Number(amount);
  let echoed = 0;
  let sent = 0;
  const done = () => {
    print({ sent, echoed });
    socket.close();
  };
  const one = () => {
    socket.send(pattern(1 + ((sent * 37) % 1300), sent), Number(port), address);
    sent++;
  };
  const late = setTimeout(done, 5000);
  socket.on("message", (message) => {
    if (message.equals(pattern(message.length, echoed))) echoed++;
    if (sent < count) one();
    else {
      clearTimeout(late);
      done();
    }
  });
  one();
}

const programs: Readonly<Record<string, () => void>> = {
  "receive tcp": receiveTcp,
  "send tcp": sendTcp,
  "receive udp": receiveUdp,
  "send udp": sendUdp,
};
programs[`${role} ${protocol}`]!();
