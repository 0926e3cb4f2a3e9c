/**
 * The border of the protocol core: events in, effects out. Everything above (sockets, timers, logs) and everything
 * below (states, handlers) meets here.
 */
import type { Random } from "../../crypto/interfaces.js";
import type { Secret } from "../../crypto/secret.js";
import type { Address, Path } from "../../esp/address.js";
import type { ChildId, Encapsulation, SaPair } from "../../esp/sa.js";
import type { Policy, TunnelPolicy } from "./policy.js";
import type { Report } from "./report.js";

/** Milliseconds of a monotonic clock with an arbitrary start. */
export type Instant = number;

export interface Context {
  readonly now: Instant;
  readonly random: Random;
}

export type AskId = number;

/** Work that the core does not do itself: slow (key exchange), secret (PSK look-up) or outside (DNS). */
export type Question =
  | { readonly kind: "publicValue"; readonly group: number; readonly privateOctets: Secret }
  | {
      readonly kind: "sharedSecret";
      readonly group: number;
      readonly privateOctets: Secret;
      readonly peerPublic: Uint8Array;
    }
  | { readonly kind: "psk"; readonly tunnel: string }
  | { readonly kind: "resolve"; readonly name: string };

export type Answer =
  | { readonly kind: "publicValue"; readonly publicValue: Uint8Array }
  | { readonly kind: "sharedSecret"; readonly secret: Secret }
  | { readonly kind: "psk"; readonly psk: Secret }
  /** `local`: the source address of the route to it, when the gateway has no configured address. */
  | { readonly kind: "resolve"; readonly addresses: readonly { readonly remote: Address; readonly local: Address }[] }
  /** The question could not be answered; `reason` is for the operator. */
  | { readonly kind: "refused"; readonly reason: string };

/** What an operator or the supervisor wants. */
export type Wish =
  | { readonly do: "up"; readonly tunnel: string }
  /** Deletes the SAs at the peer and stays down until the next "up". */
  | { readonly do: "down"; readonly tunnel: string }
  | { readonly do: "rekeyChildren"; readonly tunnel: string }
  | { readonly do: "rekeyIke"; readonly tunnel: string }
  /** SIGTERM: delete everything at the peers. */
  | { readonly do: "shutdown" };

export type Event =
  /** Without the non-ESP marker; `path.local.port` tells which socket it came through. */
  | { readonly kind: "datagram"; readonly path: Path; readonly bytes: Uint8Array }
  /** A deadline has come. */
  | { readonly kind: "tick" }
  | { readonly kind: "wish"; readonly wish: Wish }
  /**
   * Another configuration: what `comparePolicies` says of each tunnel happens, and nothing else. `newKeys`: tunnels whose
   * pre-shared key is another one.
   */
  | { readonly kind: "policy"; readonly policy: Policy; readonly newKeys: ReadonlySet<string> }
  | { readonly kind: "answer"; readonly ask: AskId; readonly answer: Answer }
  /** The data plane: authenticated inbound packets on these children since the last such event (RFC 7296 section 2.4: a sign of life). */
  | { readonly kind: "alive"; readonly children: readonly ChildId[] }
  /** The first authenticated packet on a child: the peer uses it. */
  | { readonly kind: "firstInbound"; readonly child: ChildId }
  /** A volume limit or the end of the sequence numbers; "hard" means that the SA has stopped. */
  | { readonly kind: "limit"; readonly child: ChildId; readonly limit: "soft" | "hard" }
  /** Packets wait for an SA of these mappings: traffic brings the tunnel up. */
  | { readonly kind: "traffic"; readonly tunnel: string; readonly mappings: readonly number[] }
  /** The data plane could not install or move the child, which carries nothing; `reason` is for the operator. */
  | { readonly kind: "childRefused"; readonly child: ChildId; readonly reason: string }
  /** This host has other addresses or routes; these are its addresses now. */
  | { readonly kind: "addresses"; readonly addresses: readonly Address[] }
  /** An authenticated UDP-encapsulated packet came from another address or port (RFC 7296 section 2.23). */
  | { readonly kind: "moved"; readonly child: ChildId; readonly path: Path };

/**
 * In the order in which they must happen. `installChild` receives at once and sends only after `useChild`.
 */
export type Effect =
  /** One message: `bytes`, or several datagrams of which `bytes` is the first (RFC 7383). */
  | { readonly kind: "send"; readonly path: Path; readonly bytes: Uint8Array; readonly rest?: readonly Uint8Array[] }
  /** The peer may send on this SPI before `installChild`: the data plane parks such packets. */
  | { readonly kind: "reserveSpi"; readonly spi: number }
  | { readonly kind: "releaseSpi"; readonly spi: number }
  | { readonly kind: "installChild"; readonly child: SaPair }
  /** From now on the mappings of this child send on it. */
  | { readonly kind: "useChild"; readonly id: ChildId }
  | { readonly kind: "updateChild"; readonly id: ChildId; readonly path: Path; readonly encapsulation: Encapsulation }
  /** `receives`: a little longer, what the peer had sent before it deleted the child, and the network has overtaken. */
  | { readonly kind: "removeChild"; readonly id: ChildId; readonly receives?: true }
  /** The mappings are these now; children stay on those of theirs that are still there, wherever they stand in the list. */
  | { readonly kind: "tunnels"; readonly tunnels: readonly TunnelPolicy[] }
  /** NAT keepalive: one octet 0xff (RFC 3948 section 2.3). */
  | { readonly kind: "keepalive"; readonly path: Path }
  | { readonly kind: "ask"; readonly ask: AskId; readonly question: Question }
  | { readonly kind: "report"; readonly report: Report };
