/** A configuration made by hand, without a file: what the tests of the daemon share. */
import { utf8 } from "../../crypto/bytes.js";
import { DEFAULT_ESP_PROPOSALS, DEFAULT_IKE_PROPOSALS } from "../../crypto/registry/proposal.js";
import { secret } from "../../crypto/secret.js";
import { parseAddress, parsePrefix } from "../../esp/address.js";
import { selectorFromPrefix } from "../../esp/selector.js";
import type { TunnelPolicy } from "../../ike/core/policy.js";
import type { Configuration } from "../../src/config/model.js";

export interface TunnelWish {
  readonly name: string;
  readonly peer: string;
  /** "10.1.0.0/16 10.2.0.0/16": local and peer range of each mapping. */
  readonly mappings: readonly string[];
  readonly start?: TunnelPolicy["start"];
}

export function configurationOf(
  tunnels: readonly TunnelWish[],
  gateway: Partial<Configuration["gateway"]> = {},
): Configuration {
  const ports = { ike: 500, natT: 4500 };
  return {
    file: "gateway.yaml",
    gateway: {
      name: "test",
      ports,
      tun: { name: "causeway0", mtu: "auto" },
      workers: 1,
      controlSocket: "/nonexistent/control.sock",
      log: { level: "debug", format: "text" },
      leakProtection: true,
      ...gateway,
    },
    policy: {
      tunnels: tunnels.map((tunnel) => tunnelPolicy(tunnel, gateway.address)),
      ports,
      limits: { halfOpen: 100, halfOpenPerAddress: 10 },
    },
    psk: new Map(tunnels.map(({ name }) => [name, secret(utf8("an old key of the tests, long enough"))])),
    wrappings: new Map(),
    profiles: new Map(),
    exceptions: new Map(),
    routeModes: new Map(),
    warnings: [],
  };
}

function tunnelPolicy(
  { name, peer, mappings, start }: TunnelWish,
  localAddress: Configuration["gateway"]["address"],
): TunnelPolicy {
  return {
    name,
    peer: peer === "any" ? { kind: "any" } : { kind: "address", address: parseAddress(peer) },
    ...(localAddress && { localAddress }),
    start: start ?? "active",
    close: "restart",
    duplicates: "replace",
    split: "auto",
    encapsulation: "auto",
    mappings: mappings.map((text) => {
      const [local = "", remote = ""] = text.split(" ");
      return { local: selectorFromPrefix(parsePrefix(local)), peer: selectorFromPrefix(parsePrefix(remote)) };
    }),
    entries: mappings.map((_, first) => ({ first, count: 1 })),
    ike: {
      version: 2,
      proposals: DEFAULT_IKE_PROPOSALS,
      lifetimeSeconds: 86_400,
      keepaliveSeconds: 20,
      fragmentation: "auto",
      mobike: true,
    },
    esp: { proposals: DEFAULT_ESP_PROPOSALS, lifetimeSeconds: 3_600, volumeOctets: 0, replayWindow: 1024 },
    dpd: { timeoutSeconds: 30, action: "restart" },
  };
}
