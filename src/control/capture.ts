/** A recording over the control API: what is asked for, and the stream of records. */
import { z } from "zod";
import { LONGEST_CAPTURE, USUAL_CAPTURE } from "../capture/records.js";
import type { Capture, CaptureWish } from "../capture/session.js";
import type { StreamReply } from "./route.js";

export const captureRequest = z
  .strictObject({
    seconds: z.int().min(1).max(LONGEST_CAPTURE).default(USUAL_CAPTURE),
    renew: z.boolean().default(true).meta({
      description: "Renew the SAs at once: the keys of older child SAs are not kept, and cannot be told.",
    }),
  })
  .meta({ id: "CaptureRequest" });

/** Ends when the reader goes away. */
export function captureReply(capture: Capture, wish: CaptureWish): StreamReply {
  return {
    start(sink) {
      const stop = capture.start(wish, (record) => {
        sink.write(`${JSON.stringify(record)}\n`);
        if (record.kind === "ended") sink.end();
      });
      if (stop === undefined) sink.end();
      return stop ?? (() => undefined);
    },
  };
}
