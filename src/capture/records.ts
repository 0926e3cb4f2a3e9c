/** What the daemon tells of a recording, one JSON value a line: the command line makes files of it. */
import type { KeyTable } from "./wireshark.js";

export type CaptureRecord =
  | { readonly kind: "started"; readonly tunnel: string; readonly seconds: number }
  /** `interface`: 0 the outer one, 1 the inner one. `packet`: base64. */
  | {
      readonly kind: "packet";
      readonly interface: 0 | 1;
      readonly time: number;
      readonly packet: string;
      readonly comment?: string;
    }
  | { readonly kind: "key"; readonly table: KeyTable; readonly line: string }
  | { readonly kind: "note"; readonly note: string }
  /** `missed`: packets beyond the bound. */
  | { readonly kind: "ended"; readonly missed: number };

export const INTERFACES = ["outer", "inner"] as const;
/** Seconds. */
export const LONGEST_CAPTURE = 600;
export const USUAL_CAPTURE = 30;
