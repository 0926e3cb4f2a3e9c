/**
 * A TCP stream without iperf3.
 *
 *   stream-program.js receive PORT                   for ever; prints "listening", answers each connection with what it read
 *   stream-program.js send ADDRESS PORT SECONDS      prints what the receiver answered: octets and seconds, as JSON
 */
import { connect, createServer } from "node:net";

const [action, ...rest] = process.argv.slice(2);
if (action === "receive" && rest.length === 1) receive(Number(rest[0]));
else if (action === "send" && rest.length === 3) send(rest[0]!, Number(rest[1]), Number(rest[2]));
else throw new Error("usage: stream-program.js receive PORT | send ADDRESS PORT SECONDS");

function receive(port: number): void {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const begun = performance.now();
    let octets = 0;
    socket.on("data", (chunk) => {
      octets += chunk.length;
    });
    socket.on("end", () => socket.end(JSON.stringify({ octets, seconds: (performance.now() - begun) / 1000 })));
    socket.on("error", (error) => console.error(error.message));
  });
  server.listen(port, () => console.log("listening"));
}

function send(host: string, port: number, seconds: number): void {
  const socket = connect({ host, port, timeout: 10_000 });
  const chunk = Buffer.alloc(1 << 18, 0x5a);
  let answer = "";
  const fail = (error: Error): never => {
    console.error(error.message);
    process.exit(1);
  };
  socket.on("error", fail);
  socket.on("timeout", () => fail(new Error("the connection stands still")));
  socket.on("data", (data) => {
    answer += data.toString("utf8");
  });
  socket.on("end", () => console.log(answer));
  socket.on("connect", () => {
    const end = performance.now() + seconds * 1000;
    const fill = (): void => {
      while (performance.now() < end) if (!socket.write(chunk)) return;
      socket.off("drain", fill);
      socket.end();
    };
    socket.on("drain", fill);
    fill();
  });
}
