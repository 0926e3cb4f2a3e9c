/** What the control socket answers to `explain` and `why`, as schemas. Strings of a peer are escaped and bounded before they get here. */
import { z } from "zod";
import { tunnelStatus } from "./status-model.js";
import type { ValueOf } from "./value-of.js";

const state = tunnelStatus.shape.state;

export const comparedRow = z
  .strictObject({
    attribute: z.string().meta({ description: "As docs/causes.md lists them." }),
    verdict: z.enum(["equal", "different", "unknown"]),
    ours: z.array(z.string()).meta({ description: "Every value that we accept, or the one that was agreed on." }),
    theirs: z.array(z.string()).nullable().meta({ description: "Null: the peer does not say." }),
    suspect: z.boolean().meta({ description: "Unknown, and the cause may lie here." }),
  })
  .meta({ id: "ComparedRow" });

export const explainedCause = z
  .strictObject({
    code: z.string(),
    means: z.string(),
    detail: z.string(),
    exchange: z.string().nullable(),
    message: z.enum(["request", "response", "silence"]).nullable(),
    time: z.string().meta({ description: "ISO 8601, UTC: when it was last so." }),
    count: z.int().min(1).meta({ description: "How often in a row." }),
    proven: z.boolean().meta({ description: "False: anybody can say so." }),
    differs: z.array(comparedRow),
    remain: z.array(comparedRow).meta({ description: "What the peer does not say, where nothing is known to differ." }),
    fix: z.string(),
    peer_fix: z.string(),
    rfc: z.string(),
  })
  .meta({ id: "Cause" });

export const explainedPhase = z
  .strictObject({
    phase: z.literal([1, 2]),
    time: z.string(),
    proven: z.boolean(),
    rows: z.array(comparedRow),
    proposals: z.array(z.strictObject({ number: z.string(), rows: z.array(comparedRow) })).meta({
      description: "The peer's proposals, each beside the closest of ours; in IKEv1 its transforms.",
    }),
    more: z.int().min(0).meta({ description: "Further proposals of the peer, which were not compared." }),
  })
  .meta({ id: "ExplainedPhase" });

export const explainedProfile = z
  .strictObject({
    name: z.string(),
    title: z.string(),
    source: z.string().meta({ description: "Where its figures come from." }),
    quirks: z
      .array(z.strictObject({ what: z.string(), remedy: z.string(), source: z.string() }))
      .meta({ description: "What the product is known to do otherwise." }),
  })
  .meta({ id: "ExplainedProfile" });

export const explainReport = z
  .strictObject({
    tunnel: z.string(),
    state,
    sentence: z.string().meta({ description: "Why it is up or down." }),
    next: z.string().meta({ description: "What happens next." }),
    cause: explainedCause.nullable(),
    phases: z.array(explainedPhase),
    profile: explainedProfile
      .nullable()
      .meta({ description: "What `profile:` of the tunnel stands for. Null: none is named." }),
  })
  .meta({ id: "ExplainReport" });

export const recordedEvent = z
  .strictObject({
    first: z.string().meta({ description: "ISO 8601, UTC." }),
    last: z.string(),
    count: z.int().min(1).meta({ description: "How often in a row." }),
    kind: z.string(),
    message: z.string(),
    code: z.string().nullable(),
    proven: z.boolean(),
  })
  .meta({ id: "RecordedEvent" });

export const whyReport = z
  .strictObject({
    tunnel: z.string(),
    state,
    sentence: z.string(),
    events: z.array(recordedEvent).meta({ description: "Oldest first." }),
  })
  .meta({ id: "WhyReport" });

export type ComparedRow = ValueOf<typeof comparedRow>;
export type ExplainedCause = ValueOf<typeof explainedCause>;
export type ExplainedPhase = ValueOf<typeof explainedPhase>;
export type ExplainReport = ValueOf<typeof explainReport>;
export type WhyReport = ValueOf<typeof whyReport>;
