/**
 * One operation of the control API as a value: what it is called, what it takes, what it answers and what it does. The
 * server and the OpenAPI document are both made from these, so that nothing is served that is not described.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { z } from "zod";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** The names in braces: "/v1/tunnels/{name}/up" has "name". */
export type ParametersOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParametersOf<Rest>
  : never;

export interface Call<Names extends string, Query, Body> {
  /** From the path, decoded. */
  readonly parameters: Readonly<Record<Names, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly headers: IncomingHttpHeaders;
}

export interface JsonReply<Value> {
  /** 200 where it is left out. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Value;
}

/** An answer that goes on. `start` is called once the head is sent; what it gives back is called when the reader has gone, or after `end`. */
export interface StreamReply {
  readonly headers?: Readonly<Record<string, string>>;
  readonly start: (sink: Sink) => () => void;
}

export interface Sink {
  /** False: the reader does not keep up, and this waits in memory. */
  write(chunk: string | Uint8Array): boolean;
  /** Called when a reader that did not keep up has caught up. */
  onDrain(listener: () => void): void;
  end(): void;
}

interface Described<Path extends string> {
  readonly method: Method;
  /** With parameters in braces, as OpenAPI writes it. */
  readonly path: Path;
  /** The name of the function in generated clients. */
  readonly operation: string;
  /** One sentence. */
  readonly summary: string;
  readonly description?: string;
  /** Reveals or changes more than `status` does although it is a GET: read-only clients do not get it. */
  readonly privileged?: true;
  /** Statuses of 400 and more that this operation has beside 400, 404 and 500, each with its cause. */
  readonly errors?: Readonly<Record<number, string>>;
  /** Headers that it looks at, each with its meaning. */
  readonly takesHeaders?: Readonly<Record<string, string>>;
  /** There is nothing to be done without one. */
  readonly needsBody?: true;
  /** What the body is, where the handler checks it itself. */
  readonly documentedBody?: z.ZodType;
}

interface Taking<Path extends string, Query, Body, Api, Reply> {
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  /** Octets of the body; see `server.ts` for the usual bound. */
  readonly mostBody?: number;
  readonly handle: (api: Api, call: Call<ParametersOf<Path>, Query, Body>) => Promise<Reply>;
}

/** An operation that answers with one JSON value. */
export interface JsonRoute<Api, Path extends string, Query, Body, Value>
  extends Described<Path>,
    Taking<Path, Query, Body, Api, JsonReply<Value>> {
  readonly response: z.ZodType;
  /** The status of success; 200 where it is left out. */
  readonly success?: number;
}

/** An operation whose answer goes on. */
export interface StreamRoute<Api, Path extends string, Query, Body>
  extends Described<Path>,
    Taking<Path, Query, Body, Api, StreamReply> {
  /** The media type. */
  readonly streams: string;
}

/** Any of them, for the table. */
export interface Route<Api> extends Described<string> {
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  readonly mostBody?: number;
  readonly response?: z.ZodType;
  readonly success?: number;
  readonly streams?: string;
  readonly handle: (api: Api, call: Call<string, never, never>) => Promise<JsonReply<unknown> | StreamReply>;
}

/** `Value` is the type of the answer; the schema of it stands in `response`. */
export function jsonRoute<Api, Path extends string, Query = unknown, Body = unknown, Value = unknown>(
  route: JsonRoute<Api, Path, Query, Body, Value>,
): Route<Api> {
  return route as unknown as Route<Api>;
}

export function streamRoute<Api, Path extends string, Query = unknown, Body = unknown>(
  route: StreamRoute<Api, Path, Query, Body>,
): Route<Api> {
  return route as unknown as Route<Api>;
}

/** Whether it may be asked by somebody who may only look. */
export function isReadOnly({ method, privileged }: Pick<Route<never>, "method" | "privileged">): boolean {
  return method === "GET" && privileged !== true;
}
