/** Reads server-sent events as a browser does: it keeps the last id, and sends it when it comes back. */
import { type ClientRequest, request } from "node:http";
import type { Where } from "./generated-client.js";

export interface ReadEvent {
  readonly id?: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface EventReader {
  readonly events: readonly ReadEvent[];
  readonly status: number;
  readonly lastId: string | undefined;
  cut(): void;
}

/** Resolves when the stream has begun. */
export function readEvents(where: Where, lastId?: string, query = ""): Promise<EventReader> {
  return new Promise((resolve, reject) => {
    const events: ReadEvent[] = [];
    let last = lastId;
    const sent: ClientRequest = request(
      {
        ...where,
        path: `/v1/events${query}`,
        agent: false,
        headers: lastId === undefined ? {} : { "Last-Event-ID": lastId },
      },
      (response) => {
        let rest = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          const blocks = (rest + text).split("\n\n");
          rest = blocks.pop()!;
          for (const block of blocks) {
            const fields = new Map(block.split("\n").map((line) => line.split(/: (.*)/s) as [string, string]));
            const data = fields.get("data");
            if (data === undefined) continue;
            const id = fields.get("id");
            if (id !== undefined) last = id;
            events.push({
              ...(id !== undefined && { id }),
              type: fields.get("event") ?? "message",
              data: JSON.parse(data),
            });
          }
        });
        response.on("error", () => undefined);
        resolve({
          events,
          status: response.statusCode!,
          get lastId() {
            return last;
          },
          cut: () => sent.destroy(),
        });
      },
    );
    sent.on("error", reject);
    sent.end();
  });
}
