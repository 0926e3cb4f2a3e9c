/** Traffic selectors, RFC 7296 section 3.13.1 and RFC 4301 section 4.4.1.1. */
import type { Family } from "./address.js";

export interface TrafficSelector {
  readonly family: Family;
  /** IP protocol; 0: any. */
  readonly protocol: number;
  readonly startPort: number;
  readonly endPort: number;
  readonly start: bigint;
  readonly end: bigint;
}
