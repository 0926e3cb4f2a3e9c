/**
 * One end of a load of numbered packets: sends its own at a steady rate and listens for the other end's. Prints `ready`, and at
 * the end one line of JSON, a `NumberedResult`.
 *
 *     numbered-program.js OWN_ADDRESS PEER_ADDRESS PORT RATE START SECONDS      START: milliseconds since the epoch
 */
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";

/** Numbers that did not come, or came too late to count. Times are milliseconds since the epoch. */
export interface Gap {
  readonly first: number;
  readonly count: number;
  /** When the packet before the gap came, and the one behind it. */
  readonly after: number;
  readonly before: number;
}

export interface NumberedResult {
  readonly sent: number;
  /** Different numbers that came. */
  readonly received: number;
  readonly duplicates: number;
  /** Of those received, how many were overtaken by later ones. */
  readonly overtaken: number;
  readonly gaps: readonly Gap[];
  /** One more than the highest number that came, and when it came. */
  readonly next: number;
  readonly lastAt: number;
  /** What this host's own socket dropped because this program was late: no loss of the tunnel. */
  readonly socketDrops: number;
}

const OCTETS = 200;
const MEMORY = 8 << 20;
/** Milliseconds after the last packet was sent in which the other end's may still come. */
export const GRACE = 3_000;
/** Packets at once after a pause: a machine that was busy must not turn a pause into a flood. */
const BURST = 24;

if (process.argv[1] === import.meta.filename) {
  const [own = "", peer = "", ...numbers] = process.argv.slice(2);
  const [port, rate, start, seconds] = numbers.map(Number) as [number, number, number, number];
  run(own, peer, port, rate, start, seconds);
}

function run(own: string, peer: string, port: number, rate: number, start: number, seconds: number): void {
  const socket = createSocket({
    type: own.includes(":") ? "udp6" : "udp4",
    recvBufferSize: MEMORY,
    sendBufferSize: MEMORY,
  });
  const packet = Buffer.alloc(OCTETS);
  const total = Math.floor(rate * seconds);
  const heard = createListener();
  let sent = 0;
  socket.on("message", (data) => {
    if (data.length === OCTETS) heard.take(data.readUInt32BE(0), Date.now());
  });
  socket.bind(port, own, () => {
    console.log("ready");
    setTimeout(turn, start - Date.now());
  });

  function turn(): void {
    const due = Math.min(total, Math.floor(((Date.now() - start) * rate) / 1000));
    for (let i = 0; sent < due && i < BURST; i++) {
      packet.writeUInt32BE(sent++, 0);
      socket.send(Buffer.from(packet), port, peer);
    }
    if (sent < total) setTimeout(turn, 1);
    else setTimeout(finish, GRACE);
  }

  function finish(): void {
    const result: NumberedResult = { sent, ...heard.result(), socketDrops: socketDrops(port) };
    console.log(JSON.stringify(result));
    socket.close();
  }
}

export function createListener(): {
  take(number: number, now: number): void;
  result(): Omit<NumberedResult, "sent" | "socketDrops">;
} {
  /** Numbers that are missing so far, with the times around their gap. */
  const missing = new Map<number, { readonly after: number; readonly before: number }>();
  let next = 0;
  let lastAt = 0;
  let received = 0;
  let duplicates = 0;
  let overtaken = 0;
  return {
    take(number, now) {
      if (number < next) {
        if (missing.delete(number)) {
          received++;
          overtaken++;
        } else duplicates++;
        return;
      }
      const around = { after: lastAt, before: now };
      for (; next < number; next++) missing.set(next, around);
      next++;
      received++;
      lastAt = now;
    },
    result() {
      const gaps: { first: number; count: number; after: number; before: number }[] = [];
      for (const [number, around] of missing) {
        const last = gaps.at(-1);
        if (last !== undefined && last.before === around.before && number === last.first + last.count) last.count++;
        else gaps.push({ first: number, count: 1, ...around });
      }
      return { received, duplicates, overtaken, gaps, next, lastAt };
    },
  };
}

/** The last column of /proc/net/udp: what the kernel could not put into the socket's buffer. */
function socketDrops(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = ["/proc/self/net/udp", "/proc/self/net/udp6"].flatMap((file) => readFileSync(file, "utf8").split("\n"));
  const own = lines.map((line) => line.trim().split(/\s+/)).filter(([, address = ""]) => address.endsWith(local));
  return own.reduce((sum, fields) => sum + Number(fields.at(-1)), 0);
}
