/** Finds the route of a request, and reads what the route takes: everything is checked before a handler sees it. */
import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { RequestError } from "./request-error.js";
import type { Call, JsonReply, Route, StreamReply } from "./route.js";

/** Octets of a request's body, unless the route says otherwise. */
const USUAL_BODY = 16 * 1024;

export interface Found<Api> {
  readonly route: Route<Api>;
  readonly parameters: Readonly<Record<string, string>>;
}

export type Router<Api> = (method: string, url: string) => Found<Api>;

/** The router of a table. It throws `RequestError`: 404 where there is no such path, 405 where it takes another method. */
export function createRouter<Api>(routes: readonly Route<Api>[]): Router<Api> {
  const compiled = routes.map((route) => ({ route, pattern: segments(route.path) }));
  return (method, url) => {
    const parts = pathParts(url);
    const fitting = compiled.flatMap(({ route, pattern }) => {
      const parameters = match(pattern, parts);
      return parameters === undefined ? [] : [{ route, parameters }];
    });
    if (fitting.length === 0) throw new RequestError(404, `there is no /${parts.join("/")} here`);
    const found = fitting.find(({ route }) => route.method === method);
    if (found !== undefined) return found;
    const allowed = [...new Set(fitting.map(({ route }) => route.method))];
    throw new RequestError(405, `${method} is not possible here, ${allowed.join(" and ")} is`, {
      Allow: allowed.join(", "),
    });
  };
}

/** Calls the handler of a route with what the request carries. Throws `RequestError` for what does not fit. */
export async function callRoute<Api>(
  api: Api,
  { route, parameters }: Found<Api>,
  request: IncomingMessage,
): Promise<JsonReply<unknown> | StreamReply> {
  const query = checked(route.query, queryOf(request.url ?? "/"), "query");
  const body = bodyOf(route, await readBody(request, route.mostBody ?? USUAL_BODY));
  const call = { parameters, query, body, headers: request.headers } as Call<string, never, never>;
  return route.handle(api, call);
}

function segments(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "");
}

function match(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [i, wanted] of pattern.entries()) {
    if (wanted.startsWith("{")) parameters[wanted.slice(1, -1)] = parts[i]!;
    else if (wanted !== parts[i]) return undefined;
  }
  return parameters;
}

function pathParts(url: string): string[] {
  const [path = ""] = url.split("?");
  try {
    return segments(path).map(decodeURIComponent);
  } catch {
    throw new RequestError(400, "the path is not percent-encoded UTF-8");
  }
}

function queryOf(url: string): Record<string, string> {
  const query: Record<string, string> = {};
  const at = url.indexOf("?");
  if (at < 0) return query;
  for (const [name, value] of new URLSearchParams(url.slice(at + 1))) {
    if (Object.hasOwn(query, name)) throw new RequestError(400, `"${name}" stands in the query twice`);
    Object.defineProperty(query, name, { value, enumerable: true });
  }
  return query;
}

const NOTHING = z.strictObject({});

function bodyOf({ body }: Pick<Route<never>, "body">, text: string): unknown {
  return checked(body, text === "" ? {} : parseJson(text), "body");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError(400, "the body is not JSON");
  }
}

/** Without a schema: nothing is taken. */
function checked(schema: z.ZodType = NOTHING, value: unknown, place: "query" | "body"): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new RequestError(400, result.error.issues.map((issue) => sentence(issue, place)).join("; "));
}

function sentence(issue: z.core.$ZodIssue, place: string): string {
  const where = [place, ...issue.path.map(String)].join(".");
  if (issue.code !== "unrecognized_keys") return `${where}: ${issue.message}`;
  return `${issue.keys.map((key) => `"${key}"`).join(", ")} is not known in ${issue.path.length > 0 ? where : `the ${place}`}`;
}

/** By events: leaving a `for await` early would destroy the connection before the refusal is sent. */
function readBody(request: IncomingMessage, most: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= most) chunks.push(chunk);
      else reject(new RequestError(413, `the body is longer than ${most} octets`, { Connection: "close" }));
    });
    request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.once("error", () => reject(new RequestError(400, "the request ended early")));
  });
}
