/** What the control API answers about the configuration of tunnels, as schemas. */
import { z } from "zod";
import { tunnelStatus } from "./status-model.js";
import type { ValueOf } from "./value-of.js";

const origin = z.enum(["file", "api"]).meta({
  description: "file: it stands in the configuration file and is changed there; api: it was created here.",
});

export const tunnelList = z
  .strictObject({
    tunnels: z.array(
      z.strictObject({
        name: z.string(),
        origin,
        state: tunnelStatus.shape.state,
        reason: z.string(),
        peer: z.string(),
      }),
    ),
  })
  .meta({ id: "TunnelList" });

export const tunnelDetail = z
  .strictObject({
    name: z.string(),
    origin,
    etag: z.string().nullable().meta({ description: "For If-Match; null for a tunnel of the file." }),
    configuration: z.record(z.string(), z.unknown()).meta({
      description: "As it was written: without what it inherits, and without a pre-shared key that stands in it.",
    }),
    status: tunnelStatus,
  })
  .meta({ id: "TunnelDetail" });

export type TunnelList = ValueOf<typeof tunnelList>;
export type TunnelDetail = ValueOf<typeof tunnelDetail>;
