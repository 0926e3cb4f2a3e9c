import type { Scenario } from "./scenario.js";

/** Either end of a tunnel as the steps of a scenario drive it and look at it. */

export interface SideView {
  /** The initiator's and the responder's SPI, 16 hex digits each; absent without an established IKE SA. */
  readonly ike?: { readonly initiator: string; readonly responder: string };
  /** Established children, the SPIs as 8 hex digits; while a rekey is going on there may be two. */
  readonly children: readonly {
    readonly spiIn: string;
    readonly spiOut: string;
    readonly encapsulation: "esp" | "udp";
  }[];
}

export interface Side {
  /** Begins a scenario: forgets the one before, and is ready to answer; `begins` says whether it calls the other side now. */
  load(scenario: Scenario): Promise<void>;
  /** Ends a scenario: nothing of it is left. */
  unload(): Promise<void>;
  /** Brings the tunnel up and returns when it is. */
  initiate(): Promise<void>;
  rekey(what: "child" | "ike"): Promise<void>;
  /** Deletes the IKE SA with its children at both ends. */
  terminate(): Promise<void>;
  view(): Promise<SideView>;
  /** Everything that it logged since the scenario began. */
  log(): Promise<string>;
  /** Packets that it dropped since the scenario began, by its own reasons. */
  drops(): Promise<ReadonlyMap<string, number>>;
}
