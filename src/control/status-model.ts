/**
 * What the control socket answers to `status` and to the three commands that act, as schemas: the daemon writes these
 * values, the command line prints them, the OpenAPI document describes them. Times are whole seconds, counters are
 * octets and packets: those of a tunnel since the daemon started, whatever is rekeyed, and those of a child since this SA of it began.
 */
import { z } from "zod";
import type { ValueOf } from "./value-of.js";

const count = () => z.int().min(0);
const counts = z.record(z.string(), count());

const counterShape = { bytes_in: count(), bytes_out: count(), packets_in: count(), packets_out: count() };

export const ikeStatus = z
  .strictObject({
    version: z.literal([1, 2]),
    role: z.enum(["initiator", "responder"]),
    local: z.string().meta({ description: 'Outer address with port: "192.0.2.1:4500".' }),
    remote: z.string(),
    local_id: z.string(),
    peer_id: z.string(),
    spi_i: z.string().meta({ description: "16 hex digits." }),
    spi_r: z.string(),
    proposal: z.string(),
    nat: z.enum(["none", "here", "peer", "both"]).meta({ description: "Who is behind a NAT." }),
    established_s: count(),
    rekey_in_s: count(),
  })
  .meta({ id: "IkeStatus" });

export const childStatus = z
  .strictObject({
    local: z.array(z.string()),
    peer: z.array(z.string()),
    state: z.enum(["established", "connecting", "waiting", "passive", "down"]),
    reason: z.string(),
    spi_in: z.string().nullable().meta({
      description: "8 hex digits; null while the mapping is not up, as are the four below.",
    }),
    spi_out: z.string().nullable(),
    proposal: z.string().nullable(),
    encapsulation: z.enum(["esp", "udp"]).nullable(),
    rekey_in_s: count().nullable(),
    ...counterShape,
  })
  .meta({ id: "ChildStatus" });

export const tunnelStatus = z
  .strictObject({
    name: z.string(),
    state: z.enum(["established", "degraded", "connecting", "waiting", "passive", "down"]),
    reason: z.string().meta({
      description: "Why it is in that state, as a sentence; empty where the state says it all.",
    }),
    peer: z.string().meta({ description: "The peer as configured, or its address once that is known." }),
    tun: z.string().meta({ description: "The TUN device of its packets: that of the gateway, in route mode its own." }),
    ike: ikeStatus.nullable(),
    children: z.array(childStatus).meta({ description: "The live children, and the mappings that are not up." }),
    counters: z.strictObject({ ...counterShape, drops: counts }),
  })
  .meta({ id: "TunnelStatus" });

export const statusReport = z
  .strictObject({
    gateway: z.strictObject({
      name: z.string(),
      version: z.string(),
      uptime_s: count(),
      drops: counts.meta({ description: "Packets that belong to no tunnel, by reason." }),
    }),
    tunnels: z.array(tunnelStatus).meta({
      description: "Every configured tunnel in the order of the file, also those that are down.",
    }),
  })
  .meta({ id: "StatusReport" });

export const rekeyRequest = z
  .strictObject({
    ike: z.boolean().exactOptional().meta({ description: "Renew the IKE SA; otherwise the children." }),
  })
  .meta({ id: "RekeyRequest" });

export const actionResult = z
  .strictObject({
    ok: z.boolean(),
    result: z.string().meta({ description: 'One sentence: "tunnel site-a is established".' }),
    reason: z.string().exactOptional().meta({ description: "Why not, in words, when `ok` is false." }),
  })
  .meta({ id: "ActionResult", description: "What came of `up`, `down` or `rekey`." });

export const controlError = z
  .strictObject({ error: z.string() })
  .meta({ id: "ControlError", description: "The body of every answer with a status of 400 and more." });

export type IkeStatus = ValueOf<typeof ikeStatus>;
export type ChildStatus = ValueOf<typeof childStatus>;
export type TunnelStatus = ValueOf<typeof tunnelStatus>;
export type StatusReport = ValueOf<typeof statusReport>;
export type RekeyRequest = ValueOf<typeof rekeyRequest>;
export type ActionResult = ValueOf<typeof actionResult>;
export type ControlError = ValueOf<typeof controlError>;
export type Counters = Pick<ChildStatus, "bytes_in" | "bytes_out" | "packets_in" | "packets_out">;
