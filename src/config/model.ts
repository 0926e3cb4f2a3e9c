/** The configuration after reading: checked, defaults filled in, ready for use. */
import type { Secret } from "../../crypto/secret.js";
import type { Address, Prefix, SocketAddress } from "../../esp/address.js";
import type { PolicyException } from "../../esp/exception.js";
import type { Wrapping } from "../../esp/tunnel.js";
import type { Policy } from "../../ike/core/policy.js";
import type { ProfileName } from "./profiles.js";

export interface GatewaySettings {
  readonly name: string;
  /** Absent: wildcard sockets, and the source address of the route to each peer. */
  readonly address?: Address;
  readonly ports: { readonly ike: number; readonly natT: number };
  readonly tun: { readonly name: string; readonly mtu: "auto" | number };
  /** Threads that carry packets; 2: one for each direction. */
  readonly workers: 1 | 2;
  readonly controlSocket: string;
  /** Absent: the API is on the control socket alone. */
  readonly http?: { readonly listen: SocketAddress; readonly token?: Secret };
  readonly log: { readonly level: "error" | "warn" | "info" | "debug"; readonly format: "json" | "text" };
  readonly leakProtection: boolean;
  /** A folder for what has to outlive the daemon; absent: nothing does. */
  readonly stateDir?: string;
}

/** An address of a TUN device, and its network. */
export interface InnerAddress {
  readonly address: Address;
  readonly network: Prefix;
}

/** What a tunnel in route mode asks of this host. */
export interface RouteMode {
  /** The name of its TUN device. */
  readonly device: string;
  readonly addresses: readonly InnerAddress[];
  readonly routes: readonly Prefix[];
  readonly metric?: number;
  /** Absent: the gateway's own. `from`: packets with these sources are led there. */
  readonly table?: { readonly id: number; readonly from: readonly Prefix[] };
}

/** Something that works but should be looked at; printed by `check` and logged at start. */
export interface Warning {
  /** Another one than the configuration file. */
  readonly file?: string;
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface Configuration {
  readonly file: string;
  readonly gateway: GatewaySettings;
  readonly policy: Policy;
  /** By tunnel name. */
  readonly psk: ReadonlyMap<string, Secret>;
  /** By tunnel name. */
  readonly wrappings: ReadonlyMap<string, Wrapping>;
  /** By tunnel name, of those that have one. */
  readonly profiles: ReadonlyMap<string, ProfileName>;
  /** Policies without IPsec, cut to the tunnel's mappings, drops first; by tunnel name, absent where there are none. */
  readonly exceptions: ReadonlyMap<string, readonly PolicyException[]>;
  /** By tunnel name, of those in route mode. */
  readonly routeModes: ReadonlyMap<string, RouteMode>;
  readonly warnings: readonly Warning[];
}
