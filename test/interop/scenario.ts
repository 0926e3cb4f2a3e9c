/** A row of the interoperability table: what both sides are told, what then happens, and what must come of it. */

import type { Grid } from "./grid.js";

export type PeerKind = "strongswan-userspace" | "strongswan-kernel" | "libreswan-kernel";
export type Who = "ours" | "peer";

export type Step =
  /** Echo requests from the host behind `from` to the host behind the other side; every one must come back. */
  | { readonly do: "ping"; readonly from: Who; readonly count: number }
  /** One echo request for each mapping of the grid. */
  | { readonly do: "echo each"; readonly from: Who }
  /** A TCP transfer from the host behind `from`, compared by SHA-256. */
  | { readonly do: "transfer"; readonly from: Who; readonly mebibytes: number }
  /** A rekey that `by` begins, with echo requests running through it. */
  | { readonly do: "rekey"; readonly what: "child" | "ike"; readonly by: Who }
  /** `by` deletes the tunnel; the other side must have forgotten it too. */
  | { readonly do: "delete"; readonly by: Who }
  /** `by` brings the tunnel up again. */
  | { readonly do: "reconnect"; readonly by: Who }
  /** The tunnel must come up again with nobody asking (`close: restart`). */
  | { readonly do: "comes back" }
  /** The router forgets its translations and uses other ports from now on; `first` is the side that speaks next. */
  | { readonly do: "remap"; readonly first: Who }
  /** The outer address of `who` goes, another one comes: the same IKE SA and child go on. */
  | { readonly do: "move"; readonly who: Who }
  /** SIGKILL for the daemon of `who`, which is started again at once: the tunnel must come back with nobody asking. */
  | { readonly do: "kill"; readonly who: Who }
  /** Nothing passes between the gateways for so long: the tunnel must come back with nobody asking. */
  | { readonly do: "cut"; readonly seconds: number }
  /** Echo requests for so long; meanwhile the lifetimes alone must bring at least so many new children and IKE SAs. */
  | { readonly do: "outlive"; readonly seconds: number; readonly children: number; readonly ikeSas: number };

export interface Scenario {
  readonly name: string;
  /** `ci`: part of `npm test`. `full`: `npm run test:full` alone. */
  readonly tier: "ci" | "full";
  readonly peer: PeerKind;
  /** Ours, in the first exchange. */
  readonly role: "initiator" | "responder";
  /** Of IKE. Default: 2. */
  readonly version?: 1 | 2;
  /** IKEv1 only. Default: main. */
  readonly exchange?: "main" | "aggressive";
  /** Seconds, hard, at both ends. Whoever began the tunnel renews after half of it, the other one after nine tenths. */
  readonly lifetimes?: { readonly ike: number; readonly esp: number };
  /** So many parts of our network to as many of the peer's, each with an SA pair of its own (IPv4 inside). Default: the whole, one. */
  readonly mappings?: 2 | 3;
  /** Instead: many mappings of one entry (IPv4 inside). */
  readonly grid?: Grid;
  /** Who stands behind a router that translates address and port. */
  readonly behindNat?: Who;
  /** The link between a router and the peer carries no more, in octets; our own link is Ethernet's, so we have to be told. */
  readonly pathMtu?: number;
  /** A router between them that forwards no IP fragments. */
  readonly dropsFragments?: true;
  /** IP versions. Default: 4 inside 4. */
  readonly outer?: 4 | 6;
  readonly inner?: 4 | 6;
  /** `name` (default): ours.test and peer.test. `address`: the outer addresses, which both sides also assume when nobody says. */
  readonly ids?: "name" | "address";
  /** Proposals as our configuration and strongSwan's write them. */
  readonly ike: string;
  readonly esp: string;
  /** Further keys of our tunnel, and of our gateway. */
  readonly ours?: Readonly<Record<string, unknown>>;
  readonly ourGateway?: Readonly<Record<string, unknown>>;
  /** Further lines of the peer's connection (strongSwan: `connections.site`; libreswan: `conn site`). */
  readonly theirs?: readonly string[];
  /** Further lines of strongSwan's child. */
  readonly theirChild?: readonly string[];
  /** The peer's pre-shared key is another one: the handshake must fail, and our log say what it is. */
  readonly wrongPsk?: true;
  /** How ESP must travel. */
  readonly encapsulation: "esp" | "udp";
  readonly steps: readonly Step[];
  /** What the peer's log must say at the end. */
  readonly peerSays?: readonly RegExp[];
}

/** Whether a router stands between the gateways. */
export function needsRouter({ behindNat, dropsFragments, pathMtu }: Scenario): boolean {
  return behindNat !== undefined || dropsFragments === true || pathMtu !== undefined;
}

export const PSK = "correct horse battery staple";
export const WRONG_PSK = "incorrect horse battery staple";

/** How a side is called in IDi and IDr. */
export function identity(
  scenario: Scenario,
  who: Who,
  site: { readonly outer: { readonly 4: string; readonly 6: string } },
): string {
  return scenario.ids === "address" ? site.outer[scenario.outer ?? 4] : `${who}.test`;
}

/** Seconds after which `who` renews what the scenario's lifetimes end. */
export function renewalAfter(scenario: Scenario, who: Who, lifetime: number): number {
  const began = (scenario.role === "initiator") === (who === "ours");
  return Math.round(lifetime * (began ? 0.5 : 0.9));
}

/** Whether a proposal names a group: PFS for ESP. */
export function namesGroup(proposal: string): boolean {
  return /-(modp|ecp|x25519|x448)/.test(proposal);
}

export const ping = (from: Who, count = 5): Step => ({ do: "ping", from, count });
export const echoEach = (from: Who): Step => ({ do: "echo each", from });
export const transfer = (from: Who, mebibytes: number): Step => ({ do: "transfer", from, mebibytes });
export const rekey = (what: "child" | "ike", by: Who): Step => ({ do: "rekey", what, by });
export const deleteBy = (by: Who): Step => ({ do: "delete", by });
export const reconnect = (by: Who): Step => ({ do: "reconnect", by });
export const comesBack: Step = { do: "comes back" };
export const remap = (first: Who): Step => ({ do: "remap", first });
export const outlive = (seconds: number, children: number, ikeSas: number): Step => ({
  do: "outlive",
  seconds,
  children,
  ikeSas,
});

export const move = (who: Who): Step => ({ do: "move", who });

export const kill = (who: Who): Step => ({ do: "kill", who });
export const cut = (seconds: number): Step => ({ do: "cut", seconds });

/** A whole life: traffic (`mebibytes` from us, at most 20 from the peer), rekeys from both sides, a delete from each side, and traffic after each. */
export function life(role: "initiator" | "responder", mebibytes: number): readonly Step[] {
  return [
    ping("ours"),
    ping("peer"),
    transfer("ours", mebibytes),
    transfer("peer", Math.min(mebibytes, 20)),
    rekey("child", "ours"),
    rekey("child", "peer"),
    rekey("ike", "ours"),
    rekey("ike", "peer"),
    rekey("child", "ours"),
    ping("ours"),
    deleteBy("ours"),
    reconnect("ours"), // a tunnel that was taken down stays down for the peer, too, until it is brought up here
    ping("peer"),
    deleteBy("peer"),
    role === "initiator" ? comesBack : reconnect("peer"),
    ping("ours"),
  ];
}
