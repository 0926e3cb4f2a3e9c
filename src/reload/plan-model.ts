/** What `plan` and `reload` answer, as schemas: see `src/control/status-model.ts`. */
import { z } from "zod";
import type { ValueOf } from "../control/value-of.js";

const words = z.array(z.string());

export const keyChange = z
  .strictObject({
    key: z.string().meta({ description: 'As the file writes it: "esp.lifetime".' }),
    effect: z.enum(["now", "next", "rekeyChildren", "rekeyIke", "reauthenticate", "restart"]).meta({
      description:
        "now: at once, no SA is touched; next: the SAs stay, it counts from the next negotiation on; rekeyChildren, rekeyIke: " +
        "these SAs are renewed while the old ones serve; reauthenticate: a new IKE SA takes the place of the old one, which " +
        "serves until then; restart: the SAs are deleted and negotiated anew.",
    }),
  })
  .meta({ id: "KeyChange" });

export const plannedTunnel = z
  .strictObject({
    name: z.string(),
    treatment: z.enum(["kept", "changed", "rekeyed", "restarted", "removed", "added"]).meta({
      description:
        "changed: without touching the SAs of what stays; rekeyed: no packet is lost; restarted: packets are.",
    }),
    keys: z.array(keyChange),
    mappings_added: words,
    mappings_removed: words,
  })
  .meta({ id: "PlannedTunnel" });

export const configurationProblem = z
  .strictObject({ file: z.string(), line: z.int(), column: z.int(), path: z.string(), message: z.string() })
  .meta({ id: "ConfigurationProblem" });

export const reloadPlan = z
  .strictObject({
    file: z.string(),
    possible: z
      .boolean()
      .meta({ description: "False: nothing would be changed; `errors` or `needs_restart` say why." }),
    errors: z.array(configurationProblem),
    warnings: z.array(configurationProblem),
    needs_restart: words.meta({ description: "Keys of the gateway that cannot change while it runs." }),
    gateway: words.meta({ description: "Keys of the gateway that change at once." }),
    tunnels: z.array(plannedTunnel),
  })
  .meta({ id: "ReloadPlan" });

export const reloadResult = z
  .strictObject({
    ok: z.boolean(),
    result: z.string().meta({ description: "One sentence." }),
    reason: z.string().exactOptional().meta({ description: "Why not, when `ok` is false; the running state stays." }),
    confirm_within_s: z
      .int()
      .exactOptional()
      .meta({ description: "Without a confirmation within this time the configuration before comes back." }),
    plan: reloadPlan.exactOptional(),
  })
  .meta({ id: "ReloadResult" });

export const planRequest = z
  .strictObject({
    text: z.string().exactOptional().meta({ description: "A configuration file. Left out: the file of the daemon." }),
    file: z.string().exactOptional().meta({
      description: "Its name, for messages and for relative paths of keys. Left out: that of the daemon's file.",
    }),
  })
  .meta({ id: "PlanRequest" });

export const reloadRequest = z
  .strictObject({
    confirm_s: z.int().min(5).max(86_400).exactOptional().meta({
      description: "Rolls back after this time, unless it is confirmed; seconds.",
    }),
    confirm: z.literal(true).exactOptional().meta({ description: "Confirms what was applied with `confirm_s`." }),
  })
  .meta({ id: "ReloadRequest" });

export type PlannedTunnel = ValueOf<typeof plannedTunnel>;
export type ConfigurationProblem = ValueOf<typeof configurationProblem>;
export type ReloadPlan = ValueOf<typeof reloadPlan>;
export type ReloadResult = ValueOf<typeof reloadResult>;
export type PlanRequest = ValueOf<typeof planRequest>;
export type ReloadRequest = ValueOf<typeof reloadRequest>;
