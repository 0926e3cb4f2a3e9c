/**
 * More datagrams than anybody wants: as fast as this process can, of equal length, beginning with given octets.
 *
 *     flood-program.js ADDRESS PORT BEGINNING OCTETS COUNT    prints the number of datagrams that the kernel took
 */
import { createSocket } from "node:dgram";

const [address, port, beginning, octets, count] = process.argv.slice(2) as [string, string, string, string, string];
const BURST = 64;

const datagram = new Uint8Array(Number(octets)).fill(0x5a);
datagram.set(Buffer.from(beginning, "hex"));
const socket = createSocket("udp4");
let sent = 0;
socket.connect(Number(port), address, async () => {
  for (let asked = 0; asked < Number(count); asked += BURST) {
    const burst = Array.from(
      { length: BURST },
      () => new Promise<void>((resolve) => socket.send(datagram, (error) => resolve(void (error ?? sent++)))),
    );
    await Promise.all(burst);
  }
  console.log(sent);
  socket.close();
});
// Nobody listens at the other end, and says so.
socket.on("error", () => undefined);
