/**
 * The control socket: HTTP with JSON over a Unix socket that only its owner and group can open. The shapes stand in
 * `status-model.ts`; what the requests do stands behind `ControlApi`.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Log, stackOf } from "../log.js";
import type { Action } from "./actions.js";
import { claimSocketPath } from "./socket-path.js";
import type { ActionResult, ControlError, StatusReport } from "./status-model.js";

export interface ControlApi {
  /** All tunnels, or one; undefined: there is no tunnel of that name. */
  status(tunnel?: string): Promise<StatusReport | undefined>;
  /** Resolves when it is decided; undefined: there is no tunnel of that name. */
  act(tunnel: string, action: Action): Promise<ActionResult | undefined>;
}

export interface ControlServer {
  /** Ends open requests and removes the socket. */
  close(): Promise<void>;
}

/** Octets of a request's body. */
const MAXIMUM_BODY = 16 * 1024;
const MAXIMUM_CONNECTIONS = 64;
/** Milliseconds that a client may take to send its request. */
const REQUEST_TIMEOUT = 5_000;
/** The socket is made with mode 0660: the umask of the moment takes away the rest. */
const SOCKET_UMASK = 0o117;

/** Listens on `path`. Throws `HostError` when that is not possible. */
export async function startControlServer(path: string, api: ControlApi, log: Log): Promise<ControlServer> {
  await claimSocketPath(path);
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT, headersTimeout: REQUEST_TIMEOUT, keepAliveTimeout: 1_000 },
    (request, response) => {
      answer(api, request).then(
        (reply) => send(response, reply),
        (error: unknown) => {
          if (!(error instanceof RequestError)) log.error("a control request failed", { error: stackOf(error) });
          const known = error instanceof RequestError ? error : new RequestError(500, "internal error; see the log");
          send(response, { status: known.status, body: { error: known.message }, headers: known.headers });
        },
      );
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

interface Reply {
  readonly status: number;
  readonly body: StatusReport | ActionResult | ControlError;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that is not answered with what it wants. */
class RequestError extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

async function answer(api: ControlApi, request: IncomingMessage): Promise<Reply> {
  const parts = pathParts(request.url ?? "/");
  const [version, resource, name, verb, ...more] = parts;
  if (version !== "v1" || more.length > 0) throw notFound(parts);
  if (resource === "status" && verb === undefined) {
    allow(request, "GET");
    const status = await api.status(name);
    if (status === undefined) throw noTunnel(name!);
    return { status: 200, body: status };
  }
  if (resource === "tunnels" && name !== undefined && (verb === "up" || verb === "down" || verb === "rekey")) {
    allow(request, "POST");
    const options = await readOptions(request, verb === "rekey" ? ["ike"] : []);
    const action = verb !== "rekey" ? verb : options.ike === true ? "rekeyIke" : "rekeyChildren";
    const result = await api.act(name, action);
    if (result === undefined) throw noTunnel(name);
    return { status: 200, body: result };
  }
  throw notFound(parts);
}

function pathParts(url: string): string[] {
  const [path = ""] = url.split("?");
  try {
    return path
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent);
  } catch {
    throw new RequestError(400, "the path is not percent-encoded UTF-8");
  }
}

function allow(request: IncomingMessage, method: "GET" | "POST"): void {
  if (request.method !== method)
    throw new RequestError(405, `${request.method} is not possible here, ${method} is`, { Allow: method });
}

function notFound(parts: readonly string[]): RequestError {
  return new RequestError(404, `there is no /${parts.join("/")} here`);
}

function noTunnel(name: string): RequestError {
  return new RequestError(404, `there is no tunnel "${name}"`);
}

/** The body: nothing, or an object with true or false under the known names. */
async function readOptions(
  request: IncomingMessage,
  names: readonly string[],
): Promise<Readonly<Record<string, boolean>>> {
  const text = await readBody(request);
  if (text === "") return {};
  const body = parseJson(text);
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new RequestError(400, "the body is not a JSON object");
  for (const [name, value] of Object.entries(body)) {
    if (!names.includes(name)) throw new RequestError(400, `"${name}" is not known in the body`);
    if (typeof value !== "boolean") throw new RequestError(400, `"${name}" is neither true nor false`);
  }
  return body as Record<string, boolean>;
}

/** By events: leaving a `for await` early would destroy the connection before the refusal is sent. */
function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MAXIMUM_BODY) chunks.push(chunk);
      else reject(new RequestError(413, `the body is longer than ${MAXIMUM_BODY} octets`, { Connection: "close" }));
    });
    request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.once("error", () => reject(new RequestError(400, "the request ended early")));
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError(400, "the body is not JSON");
  }
}

function send(response: ServerResponse, { status, body, headers = {} }: Reply): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
    ...headers,
  });
  response.end(text);
}
