/**
 * The events as server-sent events (WHATWG HTML section 9.2): each with an id, which a reader that was cut off sends back as
 * Last-Event-ID. What it has missed and is not there any more is told by an event `gap`.
 *
 *     id: 5f2c…-17
 *     event: ikeEstablished
 *     data: {"id":"5f2c…-17","time":"…","kind":"ikeEstablished","tunnel":"site-a","message":"…"}
 */
import { z } from "zod";
import type { EventRing } from "../event-ring.js";
import type { ReportedEvent } from "../reports.js";
import { RequestError } from "./request-error.js";
import type { StreamReply } from "./route.js";
import type { ValueOf } from "./value-of.js";

export const eventsQuery = z
  .strictObject({
    after: z
      .string()
      .exactOptional()
      .meta({ description: "As the header Last-Event-ID: the last event that is known." }),
    tunnel: z.string().exactOptional().meta({ description: "Events of this tunnel alone." }),
  })
  .meta({ id: "EventsQuery" });

export type EventsQuery = ValueOf<typeof eventsQuery>;

/** Events at a time: between two of them the reader may show that it does not keep up. */
const BATCH = 100;
/** Milliseconds between signs of life on a silent stream. */
const HEARTBEAT = 15_000;
/** Readers at a time. */
const MOST_READERS = 32;

export interface EventStreams {
  /** Throws `RequestError` for a cursor that is none, and when there are too many readers. */
  open(query: EventsQuery, lastEventId: string | undefined): StreamReply;
}

/** `life` tells this run of the daemon from others: numbers of another one mean nothing here. */
export function createEventStreams(ring: EventRing<ReportedEvent>, life: string): EventStreams {
  let readers = 0;
  return {
    open({ after, tunnel }, lastEventId) {
      const cursor = after ?? lastEventId;
      const start = cursor === undefined ? { number: ring.last(), other: false } : positionOf(cursor, life);
      if (readers >= MOST_READERS)
        throw new RequestError(503, `${MOST_READERS} readers follow the events already`, { "Retry-After": "5" });
      return {
        start(sink) {
          readers++;
          let at = start.number;
          let waits = false;
          let over = false;
          if (start.other) sink.write(gap(null));
          else sink.write(": from here on\n\n");
          const pump = (): void => {
            while (!waits && !over) {
              const { missed, events } = ring.after(at, BATCH);
              if (missed > 0) sink.write(gap(missed));
              if (events.length === 0) return;
              at = events.at(-1)!.number;
              const text = events
                .filter(({ event }) => tunnel === undefined || event.tunnel === tunnel)
                .map(({ number, event }) => message(`${life}-${number}`, event))
                .join("");
              if (text !== "" && !sink.write(text)) waits = true;
            }
          };
          sink.onDrain(() => {
            waits = false;
            pump();
          });
          const stopListening = ring.onPush(pump);
          const timer = setInterval(() => void (waits || sink.write(": still here\n\n")), HEARTBEAT);
          pump();
          return () => {
            over = true;
            readers--;
            stopListening();
            clearInterval(timer);
          };
        },
      };
    },
  };
}

function message(id: string, event: ReportedEvent): string {
  return `id: ${id}\nevent: ${event.kind}\ndata: ${JSON.stringify({ id, ...event })}\n\n`;
}

/** `missed`: null where the events before belong to an earlier run of the daemon. */
function gap(missed: number | null): string {
  return `event: gap\ndata: ${JSON.stringify({ missed })}\n\n`;
}

/** `other`: of another run, so that everything that is known here comes. */
function positionOf(cursor: string, life: string): { readonly number: number; readonly other: boolean } {
  const [, of = "", number = ""] = /^([0-9a-f]{1,32})-(\d{1,15})$/.exec(cursor) ?? [];
  if (number === "") throw new RequestError(400, `"${cursor.slice(0, 60)}" is not the id of an event`);
  return of === life ? { number: Number(number), other: false } : { number: 0, other: true };
}
