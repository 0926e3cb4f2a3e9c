/** What both sides of the matrix of `explain` are told where a row says nothing else. */
import type { ExplainMode } from "./explain-rows.js";

export const BASE = {
  main: { ike: "aes128-sha1-modp2048", esp: "aes128-sha1" },
  aggressive: { ike: "aes128-sha1-modp2048", esp: "aes128-sha1" },
  ikev2: { ike: "aes128-sha256-prfsha256-modp2048", esp: "aes128-sha256" },
} as const;
export const LIFETIME = 28_800;
export const CHILD_LIFETIME = 3_600;

export const V1: readonly ExplainMode[] = ["main", "aggressive"];
export const V2: readonly ExplainMode[] = ["ikev2"];
export const ALL: readonly ExplainMode[] = [...V1, ...V2];
