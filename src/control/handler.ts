/** Answers the requests of the control API, wherever they come from: finds the route, asks whether it may be used, calls it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Log, stackOf } from "../log.js";
import type { ControlApi } from "./api.js";
import { RequestError } from "./request-error.js";
import type { JsonReply, Route, StreamReply } from "./route.js";
import { callRoute, createRouter } from "./router.js";
import { ROUTES } from "./routes.js";

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Throws `RequestError` for what may not be asked. Before a route is looked for: the route is undefined. */
export type Admission = (request: IncomingMessage, route: Route<ControlApi> | undefined) => void;

export function createHandler(api: ControlApi, log: Log, admit: Admission): Handler {
  const find = createRouter(ROUTES);
  return (request, response) => {
    const answer = async () => {
      admit(request, undefined);
      const found = find(request.method ?? "", request.url ?? "/");
      admit(request, found.route);
      const reply = await callRoute(api, found, request);
      if ("start" in reply) sendStream(response, found.route.streams!, reply);
      else sendJson(response, { ...reply, status: reply.status ?? found.route.success ?? 200 });
    };
    answer().catch((error: unknown) => {
      if (!(error instanceof RequestError)) log.error("a control request failed", { error: stackOf(error) });
      const known = error instanceof RequestError ? error : new RequestError(500, "internal error; see the log");
      if (!response.headersSent)
        sendJson(response, { status: known.status, body: { error: known.message }, headers: known.headers });
      else response.destroy();
    });
  };
}

function sendJson(response: ServerResponse, { status = 200, body, headers = {} }: JsonReply<unknown>): void {
  const text = status === 204 ? "" : `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    ...(text !== "" && { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) }),
    "X-Content-Type-Options": "nosniff",
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
