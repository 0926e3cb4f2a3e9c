/** Two policies with one tunnel and one mapping between them; lifetimes end after the model does. */
import type { Policy } from "../../ike/core/policy.js";
import { ADDRESS_A, ADDRESS_B, mirrored, onePolicy } from "../sim/policies.js";
import { TOY_ESP, TOY_ESP_PFS, TOY_IKE } from "./toy-suite.js";

const LIFETIME = 30 * 86_400;
const ENTRIES = [["10.1.0.0/16 10.2.0.0/16"]];

export interface PolicyOptions {
  readonly pfs?: boolean;
  /** The tunnel is not built again, and a peer that is silent is forgotten. */
  readonly once?: boolean;
}

/** A starts, B answers. */
export function policies({ pfs = false, once = false }: PolicyOptions = {}): readonly [Policy, Policy] {
  const shared = {
    ikeProposals: [],
    espProposals: [],
    ikeLifetimeSeconds: LIFETIME,
    childLifetimeSeconds: LIFETIME,
    close: once ? ("none" as const) : ("restart" as const),
    fragmentation: "off" as const,
    mobike: false,
    dpdSeconds: 30,
    dpdAction: "clear" as const,
  };
  const a = onePolicy({
    ...shared,
    localId: "a.example",
    peerId: "b.example",
    peer: ADDRESS_B,
    local: ADDRESS_A,
    start: "active",
    entries: ENTRIES,
  });
  const b = onePolicy({
    ...shared,
    localId: "b.example",
    peerId: "a.example",
    peer: ADDRESS_A,
    local: ADDRESS_B,
    start: "passive",
    entries: mirrored(ENTRIES),
  });
  return [toy(a, pfs, once), toy(b, pfs, once)];
}

function toy(policy: Policy, pfs: boolean, watched: boolean): Policy {
  return {
    ...policy,
    tunnels: policy.tunnels.map(({ dpd, ...tunnel }) => ({
      ...tunnel,
      ...(watched && dpd && { dpd }),
      ike: { ...tunnel.ike, proposals: [TOY_IKE], keepaliveSeconds: 0 },
      esp: { ...tunnel.esp, proposals: [pfs ? TOY_ESP_PFS : TOY_ESP] },
    })),
  };
}
