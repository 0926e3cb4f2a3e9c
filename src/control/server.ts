/**
 * The control socket: HTTP with JSON over a Unix socket that only its owner and group can open. What is served stands
 * in `routes.ts`; what the requests do stands behind `ControlApi`.
 */
import { createServer, type Server, type ServerResponse } from "node:http";
import { type Log, stackOf } from "../log.js";
import type { ControlApi } from "./api.js";
import { RequestError } from "./request-error.js";
import type { JsonReply, StreamReply } from "./route.js";
import { callRoute, createRouter } from "./router.js";
import { ROUTES } from "./routes.js";
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
  const find = createRouter(ROUTES);
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT, headersTimeout: REQUEST_TIMEOUT, keepAliveTimeout: 1_000 },
    (request, response) => {
      const answer = async () => {
        const found = find(request.method ?? "", request.url ?? "/");
        const reply = await callRoute(api, found, request);
        if ("start" in reply) sendStream(response, found.route.streams!, reply);
        else sendJson(response, reply);
      };
      answer().catch((error: unknown) => {
        if (!(error instanceof RequestError)) log.error("a control request failed", { error: stackOf(error) });
        const known = error instanceof RequestError ? error : new RequestError(500, "internal error; see the log");
        if (!response.headersSent)
          sendJson(response, { status: known.status, body: { error: known.message }, headers: known.headers });
        else response.destroy();
      });
    },
  );
  server.maxConnections = MAXIMUM_CONNECTIONS;
  await listen(server, path);
  server.on("error", (error) => log.error("the control socket failed", { error: error.message }));
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
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

function sendJson(response: ServerResponse, { status = 200, body, headers = {} }: JsonReply<unknown>): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}

function sendStream(response: ServerResponse, type: string, { headers = {}, start }: StreamReply): void {
  response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store", ...headers });
  response.flushHeaders();
  let over = false;
  let stop: (() => void) | undefined;
  const finish = (): void => {
    if (over) return;
    over = true;
    stop?.();
  };
  response.once("close", finish);
  response.once("error", finish);
  stop = start({
    write: (chunk) => !over && response.write(chunk),
    onDrain: (listener) => void response.on("drain", listener),
    end: () => void response.end(),
  });
  if (over) stop();
}
