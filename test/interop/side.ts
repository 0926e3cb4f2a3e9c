/** Either end of a tunnel as the steps of a scenario drive it and look at it. */
import type { Scenario } from "./scenario.js";

export interface SideView {
  /** The SPIs of the established IKE SA as `initiator_responder` in hex; a side that does not tell them gives it another name. */
  readonly ike?: string;
  /** Established children, the SPIs as 8 hex digits; while a rekey is going on there may be two. */
  readonly children: readonly {
    readonly spiIn: string;
    readonly spiOut: string;
    readonly encapsulation: "esp" | "udp";
  }[];
}

export interface Side {
  /** Begins a scenario: ready to answer; our gateway calls the peer by itself where it is the initiator. */
  load(scenario: Scenario): Promise<void>;
  /** Ends a scenario, so that nothing of it is left here; does nothing when none is loaded. */
  unload(): Promise<void>;
  /** Brings the tunnel up and returns when it is. */
  initiate(): Promise<void>;
  /** Returns when the new SA is up; the old one may go later. */
  rekey(what: "child" | "ike"): Promise<void>;
  /** Deletes the IKE SA with its children at both ends. */
  terminate(): Promise<void>;
  /** SIGKILL, and a new start with the same scenario. Absent: this side cannot do that. */
  restart?(): Promise<void>;
  view(): Promise<SideView>;
  /** Everything that it logged since the scenario began. */
  log(): Promise<string>;
  /** Packets that it dropped since the scenario began, by its own reasons. */
  drops(): Promise<ReadonlyMap<string, number>>;
}
