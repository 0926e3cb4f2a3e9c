/** Quotas of a gateway: what they are without the file's word, and how an excess is told. */
import type { GatewayBlock } from "./schema.js";

export interface Limits {
  readonly tunnels: number;
  readonly mappings: number;
  readonly policies_per_tunnel: number;
  readonly peers_per_policy: number;
  /** IKE SAs that have not authenticated yet; from an eighth of it on a cookie is asked for, beyond it new ones are passed over. */
  readonly half_open: number;
  readonly half_open_per_address: number;
}

const DEFAULT_LIMITS: Limits = {
  tunnels: 1000,
  mappings: 200,
  policies_per_tunnel: 10,
  peers_per_policy: 50,
  half_open: 1000,
  half_open_per_address: 20,
};

/** `limits` may be any part of it. */
export function limitsOf(limits: NonNullable<GatewayBlock["limits"]> | undefined): Limits {
  return { ...DEFAULT_LIMITS, ...limits };
}

/** A sentence that names the quota and the key that raises it; `undefined` while the count is inside. */
export function excess(limits: Limits, quota: keyof Limits, count: number, what: string): string | undefined {
  if (count <= limits[quota]) return undefined;
  return `${count} ${what}, but the quota ${quota} allows ${limits[quota]}; gateway.limits.${quota} raises it`;
}
