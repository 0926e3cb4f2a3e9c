/**
 * One end of many loads of numbered packets at once, each between an address of ours and one of the other end's: sends at a steady
 * rate and listens. Prints `ready`, waits for the file GO, which holds the time of the start, and prints at the end one line of
 * JSON: a `FlowResult` for each flow.
 *
 *     numbered-flows-program.js OWN PEER COUNT PORT RATE GO SECONDS      OWN: "10.1.%.1", % is the number of the flow
 */
import { createSocket } from "node:dgram";
import { existsSync, readFileSync } from "node:fs";
import { createListener, type Gap, GRACE } from "../soak/numbered-program.js";

export interface FlowResult {
  readonly sent: number;
  readonly received: number;
  readonly duplicates: number;
  readonly gaps: readonly Gap[];
}

const OCTETS = 100;

if (process.argv[1] === import.meta.filename) {
  const [own = "", peer = "", count, port, rate, go = "", seconds] = process.argv.slice(2);
  run(own, peer, Number(count), Number(port), Number(rate), go, Number(seconds));
}

function run(own: string, peer: string, count: number, port: number, rate: number, go: string, seconds: number): void {
  let start = 0;
  const total = Math.floor(rate * seconds);
  const flows = Array.from({ length: count }, (_, i) => {
    const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 });
    const heard = createListener();
    socket.on("message", (data) => {
      if (data.length === OCTETS) heard.take(data.readUInt32BE(0), Date.now());
    });
    // What the gateway refuses for a moment shows as a number that does not come.
    socket.on("error", () => undefined);
    return { socket, heard, to: peer.replace("%", String(i)), from: own.replace("%", String(i)), sent: 0 };
  });
  let bound = 0;
  for (const { socket, from } of flows)
    socket.bind(port, from, () => {
      bound++;
      if (bound === count) {
        console.log("ready");
        wait();
      }
    });

  function wait(): void {
    if (!existsSync(go)) {
      setTimeout(wait, 10);
      return;
    }
    start = Number(readFileSync(go, "utf8"));
    setTimeout(turn, start - Date.now());
  }

  function turn(): void {
    const due = Math.min(total, Math.floor(((Date.now() - start) * rate) / 1000));
    for (const flow of flows)
      while (flow.sent < due) {
        const packet = Buffer.alloc(OCTETS);
        packet.writeUInt32BE(flow.sent++, 0);
        flow.socket.send(packet, port, flow.to, () => undefined);
      }
    if (due < total) setTimeout(turn, 5);
    else setTimeout(finish, GRACE);
  }

  function finish(): void {
    const results = flows.map(({ heard, sent }): FlowResult => {
      const { received, duplicates, gaps } = heard.result();
      return { sent, received, duplicates, gaps };
    });
    console.log(JSON.stringify(results));
    for (const { socket } of flows) socket.close();
  }
}
