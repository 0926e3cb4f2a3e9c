/** A peer that is nothing but its datagrams: sends what its parent says, tells what comes. */
import { createSocket, type Socket } from "node:dgram";

export interface PeerCommand {
  /** Our port; bound at the first use. */
  readonly from: number;
  readonly address: string;
  readonly port: number;
  /** Empty: only binds. */
  readonly datagrams: readonly Uint8Array[];
}

export type PeerTold =
  | { readonly kind: "sent" }
  | {
      readonly kind: "datagram";
      readonly to: number;
      readonly address: string;
      readonly port: number;
      readonly bytes: Uint8Array;
    };

const sockets = new Map<number, Promise<Socket>>();
const tell = (told: PeerTold) => void process.send!(told);

function socketAt(port: number, family: "udp4" | "udp6"): Promise<Socket> {
  let bound = sockets.get(port);
  if (bound === undefined) {
    bound = new Promise((resolve) => {
      const socket = createSocket(family);
      socket.on("message", (bytes, from) =>
        tell({ kind: "datagram", to: port, address: from.address, port: from.port, bytes: new Uint8Array(bytes) }),
      );
      socket.bind(port, () => resolve(socket));
    });
    sockets.set(port, bound);
  }
  return bound;
}

process.on("message", async ({ from, address, port, datagrams }: PeerCommand) => {
  const socket = await socketAt(from, address.includes(":") ? "udp6" : "udp4");
  for (const datagram of datagrams)
    await new Promise<void>((resolve, reject) =>
      socket.send(datagram, port, address, (error) => (error ? reject(error) : resolve())),
    );
  tell({ kind: "sent" });
});
process.on("disconnect", () => process.exit(0));
