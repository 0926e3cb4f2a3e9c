/**
 * The control socket: HTTP with JSON over a Unix socket that only its owner and group can open, and whose peers are asked for by the
 * kernel's own word. What is served stands in `routes.ts`; what the requests do stands behind `ControlApi`.
 */
import { statSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Log } from "../log.js";
import type { ControlApi } from "./api.js";
import { createHandler } from "./handler.js";
import { mayControl, peerCredentials } from "./peer-credentials.js";
import { RequestError } from "./request-error.js";
import { isReadOnly } from "./route.js";
import { claimSocketPath } from "./socket-path.js";

export interface ControlServer {
  /** Ends open requests and removes the socket. */
  close(): Promise<void>;
}

const MAXIMUM_CONNECTIONS = 64;
/** Milliseconds that a client may take to send its request. */
const REQUEST_TIMEOUT = 5_000;
/** The socket is made with mode 0660: the umask of the moment takes away the rest. */
const SOCKET_UMASK = 0o117;

/** Listens on `path`. Throws `HostError` when that is not possible. */
export async function startControlServer(path: string, api: ControlApi, log: Log): Promise<ControlServer> {
  await claimSocketPath(path);
  const server = createServer(
    TIMEOUTS,
    createHandler(api, log, (request, route) => {
      if (route === undefined) checkPeer(request, path);
      else if (!isReadOnly(route)) log.info(`control: ${route.operation}, asked for by ${askerOf(request)}`);
    }),
  );
  server.maxConnections = MAXIMUM_CONNECTIONS;
  await listen(server, path);
  server.on("error", (error) => log.error("the control socket failed", { error: error.message }));
  return { close: () => closeServer(server) };
}

/** Of a server of the control API. */
export const TIMEOUTS = { requestTimeout: REQUEST_TIMEOUT, headersTimeout: REQUEST_TIMEOUT, keepAliveTimeout: 1_000 };

export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** The mode of the socket has let it in; where the kernel tells who it is, that must be one of those the mode is meant for. */
function checkPeer({ socket }: IncomingMessage, path: string): void {
  const peer = peerCredentials(socket);
  if (peer === undefined) return;
  const own = { uid: process.geteuid?.() ?? 0, group: statSync(path).gid };
  if (!mayControl(peer, own))
    throw new RequestError(403, `user ${peer.uid} is neither root, nor the gateway's user, nor in the socket's group`);
}

function askerOf({ socket }: IncomingMessage): string {
  const peer = peerCredentials(socket);
  return peer === undefined ? "somebody on the control socket" : `user ${peer.uid}, process ${peer.pid}`;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const before = process.umask(SOCKET_UMASK);
    try {
      server.listen(path, () => {
        server.removeListener("error", reject);
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
}
