/** Request functions made from an OpenAPI document alone: nothing here knows the API. */
import { type IncomingMessage, request } from "node:http";

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: "path" | "query" | "header" }[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, unknown>>;
}

export interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<IncomingMessage["headers"]>;
  readonly body: Record<string, unknown>;
  /** The document names this status. */
  readonly described: boolean;
}

export type Client = Readonly<Record<string, (given?: Given) => Promise<Answer>>>;

export interface Given {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export type Where = { readonly socketPath: string } | { readonly host: string; readonly port: number };

export async function fetchDocument(where: Where): Promise<Document> {
  return (await send(where, "GET", "/v1/openapi.json", {}, undefined)).body as unknown as Document;
}

export function clientOf(document: Document, where: Where, headers: Readonly<Record<string, string>> = {}): Client {
  const functions = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => {
      const call = async ({ parameters = {}, body }: Given = {}): Promise<Answer> => {
        const known = operation.parameters ?? [];
        for (const name of Object.keys(parameters))
          if (!known.some((one) => one.name === name)) throw new Error(`${operation.operationId} takes no ${name}`);
        if (body !== undefined && operation.requestBody === undefined)
          throw new Error(`${operation.operationId} takes no body`);
        const of = (place: string) =>
          known.flatMap((one) =>
            one.in === place && one.name in parameters ? [[one.name, parameters[one.name]!] as const] : [],
          );
        const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parameters[name as string] ?? ""));
        const query = new URLSearchParams(
          of("query").map(([name, value]): [string, string] => [name, value]),
        ).toString();
        const sent = await send(
          where,
          method.toUpperCase(),
          query === "" ? filled : `${filled}?${query}`,
          { ...headers, ...Object.fromEntries(of("header")) },
          body === undefined ? undefined : JSON.stringify(body),
        );
        return { ...sent, described: String(sent.status) in operation.responses };
      };
      return [operation.operationId, call] as const;
    }),
  );
  return Object.fromEntries(functions);
}

function send(
  where: Where,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string | undefined,
): Promise<Omit<Answer, "described">> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...where, method, path, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: text === "" ? {} : JSON.parse(text) }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
