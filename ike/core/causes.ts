/**
 * Every cause of a failure, by its stable code: what it means, what to do on either side, and where the standard says so. The log,
 * `status`, `explain` and the API print what stands here; `docs/causes.md` is made from it.
 */
import { type Attribute, type Compared, differencesOf, type Evidence, suspectsOf } from "./evidence.js";

interface CauseRow {
  /** What happened, in one clause. */
  readonly means: string;
  /** What to do here, and at the peer; where an attribute is known to differ, `FIXES` is more exact. */
  readonly here: string;
  readonly there: string;
  readonly rfc: string;
}

export const CAUSES = {
  NO_PROPOSAL_CHOSEN: {
    means: "no proposal is acceptable to both sides",
    here: "make one proposal equal on both sides: encryption, integrity, PRF and group for IKE (`ike.proposals`), and encryption, integrity and PFS for ESP (`esp.proposals`, `esp.pfs`)",
    there: "let the peer accept one of our proposals",
    rfc: "RFC 7296 sections 2.7 and 3.10.1; IKEv1: RFC 2408 section 3.14.1",
  },
  INVALID_KE_PAYLOAD: {
    means: "the peer wants a group that is not offered",
    here: "put the group that the peer wants into the proposals here",
    there: "put one of our groups into the peer's proposals",
    rfc: "RFC 7296 sections 1.2 and 1.3; IKEv1: RFC 2409 section 5.5",
  },
  PFS_MISMATCH: {
    means: "the children cannot be rekeyed, because the groups of PFS differ",
    here: "make `esp.pfs` here and the peer's PFS the same: the same groups, or off on both sides; until then a new IKE SA takes over before each child ends",
    there: "set the peer's PFS group to one of `esp.pfs`",
    rfc: "RFC 7296 sections 1.3 and 2.17",
  },
  AUTHENTICATION_FAILED: {
    means: "one side does not accept who the other says it is, or its proof",
    here: "compare the pre-shared key and both identities (local_id, peer_id) with the peer's, character by character",
    there: "look up which identity and which key the peer expects",
    rfc: "RFC 7296 sections 2.15 and 2.21.2; IKEv1: RFC 2409 section 5.4",
  },
  TS_UNACCEPTABLE: {
    means: "the networks of the two sides do not fit together",
    here: "the peer's networks must mirror ours: our `local` is its remote, our `peer` is its local",
    there: "mirror our `policies` in the peer's traffic selectors",
    rfc: "RFC 7296 section 2.9; IKEv1: RFC 2407 section 4.6.2",
  },
  SINGLE_PAIR_REQUIRED: {
    means: "the peer wants one pair of addresses for each child",
    here: "write narrower policies, a host to a host",
    there: "allow whole networks in one child",
    rfc: "RFC 7296 section 2.9",
  },
  NO_ADDITIONAL_SAS: {
    means: "there are as many children in this IKE SA as one side allows",
    here: "write fewer, wider policies, or set `split`",
    there: "look for a limit in the peer's configuration",
    rfc: "RFC 7296 section 1.3",
  },
  TEMPORARY_FAILURE: {
    means: "the peer is busy with an exchange that collides with this one",
    here: "nothing: it is tried again",
    there: "nothing",
    rfc: "RFC 7296 section 2.25",
  },
  CHILD_SA_NOT_FOUND: {
    means: "a child is named that the other side does not have",
    here: "nothing: it is negotiated anew",
    there: "nothing",
    rfc: "RFC 7296 section 2.25",
  },
  INVALID_SYNTAX: {
    means: "a message breaks the rules of the protocol",
    here: "one side misreads the other; note both versions and report it with a capture",
    there: "look into the peer's log for the same moment",
    rfc: "RFC 7296 section 2.21",
  },
  UNSUPPORTED_CRITICAL_PAYLOAD: {
    means: "the peer insists on an extension that the other side does not know",
    here: "nothing can be turned on here for it",
    there: "turn the extension off at the peer",
    rfc: "RFC 7296 section 2.5",
  },
  INVALID_MAJOR_VERSION: {
    means: "the peer does not speak this version of IKE",
    here: "set `ike.version` to the version that the peer speaks",
    there: "turn our version on at the peer",
    rfc: "RFC 7296 section 2.5",
  },
  INVALID_EXCHANGE_TYPE: {
    means: "the peer does not take this kind of exchange",
    here: "set `ike.exchange` to the mode that the peer takes",
    there: "allow our mode at the peer",
    rfc: "RFC 2408 section 3.14.1",
  },
  INTERNAL_ADDRESS_FAILURE: {
    means: "the peer wants to assign an inner address, and cannot",
    here: "nothing can be set here: this gateway asks for no address",
    there: "make a site-to-site connection of it, without virtual addresses",
    rfc: "RFC 7296 section 3.15.4",
  },
  FAILED_CP_REQUIRED: {
    means: "the peer insists on assigning an inner address",
    here: "nothing can be set here: this gateway asks for no address",
    there: "make a site-to-site connection of it, without virtual addresses",
    rfc: "RFC 7296 section 2.19",
  },
  UNACCEPTABLE_ADDRESSES: {
    means: "the peer does not allow this address of ours",
    here: "turn `ike.mobike` off, or keep to an address that the peer allows",
    there: "look at the peer's list of allowed addresses",
    rfc: "RFC 4555 section 3.5",
  },
  UNEXPECTED_NAT_DETECTED: {
    means: "the peer allows no NAT between the gateways, and there is one",
    here: "take the NAT away",
    there: "allow NAT at the peer",
    rfc: "RFC 4555 section 3.9",
  },
  REFUSED: {
    means: "the peer refuses with an error that has no better explanation",
    here: "look up the error's name in the peer's manual",
    there: "look into the peer's log for the same moment",
    rfc: "RFC 7296 section 3.10.1; IKEv1: RFC 2408 section 3.14.1",
  },
  TIMEOUT: {
    means: "the peer does not answer",
    here: "check that the peer runs, that its address is right, and that no firewall drops UDP 500 and 4500 on the way",
    there: "see in the peer's log whether our packets arrive, and whether it knows our address",
    rfc: "RFC 7296 section 2.4",
  },
  PEER_GONE: {
    means: "the peer has stopped answering, or has started anew",
    here: "nothing: `dpd.action` says what follows",
    there: "see whether the peer or the path to it has failed",
    rfc: "RFC 7296 section 2.4; IKEv1: RFC 3706",
  },
  REDIRECT: {
    means: "gateways send us round in a circle",
    here: "name in `peer` the gateway that is meant",
    there: "look at the redirect settings of the gateways",
    rfc: "RFC 5685 section 3",
  },
  RESOLVE: {
    means: "the peer's name leads to no address that can be reached",
    here: "check the peer's name, this host's resolver and its routes",
    there: "see whether the name is still right",
    rfc: "RFC 1034",
  },
  PSK: {
    means: "the pre-shared key of the tunnel cannot be had",
    here: "look at the tunnel's `psk`: the file or the environment variable could not be read",
    there: "nothing",
    rfc: "RFC 7296 section 2.15",
  },
  DATAPLANE_REFUSED: {
    means: "this host cannot carry the child",
    here: "read the reason; `causeway vectors` shows what this host's crypto can do, `ip address` its addresses",
    there: "nothing",
    rfc: "RFC 4301 section 4.4",
  },
  INTERNAL: {
    means: "this gateway failed, by no fault of the peer",
    here: "report it with the log of this moment",
    there: "nothing",
    rfc: "none",
  },
} as const satisfies Record<string, CauseRow>;

export type CauseCode = keyof typeof CAUSES;

/** What the peer answered, by its name in either version, as a cause. */
export function causeCode(notify: string): CauseCode {
  const name = notify.replaceAll("-", "_");
  return SAME_AS[name] ?? (name in CAUSES ? (name as CauseCode) : "REFUSED");
}

/** Errors of IKEv1 that go by another name in IKEv2, and those that say the same. */
const SAME_AS: Readonly<Record<string, CauseCode>> = {
  INVALID_KEY_INFORMATION: "INVALID_KE_PAYLOAD",
  INVALID_ID_INFORMATION: "TS_UNACCEPTABLE",
  INVALID_SELECTORS: "TS_UNACCEPTABLE",
  INVALID_HASH_INFORMATION: "AUTHENTICATION_FAILED",
  AUTHORIZATION_FAILED: "AUTHENTICATION_FAILED",
  ATTRIBUTES_NOT_SUPPORTED: "NO_PROPOSAL_CHOSEN",
  BAD_PROPOSAL_SYNTAX: "NO_PROPOSAL_CHOSEN",
  INVALID_TRANSFORM_ID: "NO_PROPOSAL_CHOSEN",
  PAYLOAD_MALFORMED: "INVALID_SYNTAX",
  INVALID_PAYLOAD_TYPE: "INVALID_SYNTAX",
  UNEQUAL_PAYLOAD_LENGTHS: "INVALID_SYNTAX",
  UNSUPPORTED_EXCHANGE_TYPE: "INVALID_EXCHANGE_TYPE",
  INVALID_MINOR_VERSION: "INVALID_MAJOR_VERSION",
};

/** Where a failure showed. */
export interface Where {
  /** "IKE_SA_INIT", "MAIN_MODE" …; absent: before any exchange. */
  readonly exchange?: string;
  /** The message that is at fault, or said so; "silence": none came. */
  readonly message?: "request" | "response" | "silence";
}

interface Fix {
  readonly here: (theirs: string, ours: string) => string;
  readonly there: (theirs: string, ours: string) => string;
  /** Where the peer does not tell its value. */
  readonly compare: string;
}

/** How an attribute that differs is made equal: `theirs` and `ours` as the configuration writes them, or "none". */
const FIXES: Readonly<Record<Attribute, Fix>> = {
  version: {
    here: (theirs) => `set \`ike.version\` to ${theirs.replace("IKEv", "")}`,
    there: (_, ours) => `set the peer to ${ours}`,
    compare: "compare `ike.version` with the peer's",
  },
  mode: {
    here: (theirs) => `set \`ike.exchange\` to ${theirs}`,
    there: (_, ours) => `set the peer to ${ours} mode`,
    compare: "compare `ike.exchange` with the peer's mode",
  },
  authentication: {
    here: () => "only pre-shared keys are possible here",
    there: (_, ours) => `set the peer's authentication to ${ours}`,
    compare: "see that the peer authenticates with a pre-shared key",
  },
  encryption: added("encryption", "proposals"),
  hash: added("hash", "ike.proposals"),
  prf: added("PRF", "ike.proposals"),
  integrity: added("integrity", "proposals"),
  group: added("group", "ike.proposals"),
  "local-id": {
    here: (theirs) => `set \`local_id\` to ${theirs}`,
    there: (_, ours) => `let the peer expect ${ours} as its remote identity`,
    compare: "compare `local_id` with the identity that the peer expects",
  },
  "peer-id": {
    here: (theirs) => `set \`peer_id\` to ${theirs}`,
    there: (_, ours) => `set the peer's own identity to ${ours}`,
    compare: "compare `peer_id` with the peer's own identity",
  },
  psk: {
    here: () => "set `psk` to the peer's key, octet for octet",
    there: () => "set the peer's key to ours, octet for octet",
    compare: "compare `psk` with the peer's key, octet for octet",
  },
  lifetime: {
    here: (theirs) => `set the lifetime to ${theirs}`,
    there: (_, ours) => `set the peer's lifetime to ${ours}`,
    compare: "compare the lifetimes",
  },
  protocol: {
    here: () => "only ESP is possible here",
    there: (_, ours) => `let the peer use ${ours}`,
    compare: "see that the peer uses ESP",
  },
  encapsulation: {
    here: () => "only tunnel mode is possible here",
    there: () => "set the peer to tunnel mode",
    compare: "see that the peer uses tunnel mode",
  },
  pfs: {
    here: (theirs) => (theirs === "none" ? "set `esp.pfs` to off" : `put ${theirs} into \`esp.pfs\``),
    there: (_, ours) => (ours === "none" ? "turn PFS off at the peer" : `set the peer's PFS group to ${ours}`),
    compare: "compare `esp.pfs` with the peer's PFS groups",
  },
  esn: {
    here: (theirs) => `allow ${theirs} in \`esp.proposals\``,
    there: (_, ours) => `allow ${ours} at the peer`,
    compare: "compare the peer's setting for extended sequence numbers with `esp.proposals`",
  },
  selectors: {
    here: (theirs) => `write a policy for ${theirs}`,
    there: (_, ours) => `let the peer mirror ${ours}`,
    compare: "compare `policies` with the peer's networks: our `local` is its remote, our `peer` is its local",
  },
  other: {
    here: () => "nothing here understands it",
    there: () => "take it out of the peer's proposals",
    compare: "look into the peer's log",
  },
};

export const ATTRIBUTES = Object.keys(FIXES) as readonly Attribute[];

function added(what: string, key: string): Fix {
  return {
    here: (theirs) => (theirs === "none" ? `offer a proposal without ${what}` : `put ${theirs} into \`${key}\``),
    there: (_, ours) =>
      ours === "none" ? `take ${what} out of the peer's proposal` : `put ${ours} into the peer's proposals`,
    compare: `compare the ${what} of \`${key}\` with the peer's`,
  };
}

/** A failure as everybody prints it. */
export interface Cause extends Where {
  readonly code: CauseCode;
  readonly means: string;
  /** What happened this time, as a sentence. */
  readonly detail: string;
  /** What is known to differ, and, where nothing is, what may. */
  readonly differs: readonly Compared[];
  readonly suspects: readonly Compared[];
  readonly fix: string;
  readonly peerFix: string;
  readonly rfc: string;
}

/** What a failed report says. */
export interface Failure extends Where {
  readonly code: CauseCode;
  readonly detail: string;
  readonly evidence?: Evidence;
}

export function causeOf({ code, detail, exchange, message, evidence }: Failure): Cause {
  const row: CauseRow = CAUSES[code];
  const differs = evidence === undefined ? [] : differencesOf(evidence);
  const suspects = evidence === undefined || differs.length > 0 ? [] : suspectsOf(evidence);
  const told = differs.filter(({ theirs, attribute }) => theirs !== undefined || attribute === "psk");
  return {
    code,
    means: row.means,
    detail,
    ...(exchange !== undefined && { exchange }),
    ...(message !== undefined && { message }),
    differs,
    suspects,
    fix: told.length > 0 ? told.map((one) => fixOf(one, phaseKey(evidence), "here")).join("; ") : row.here,
    peerFix: told.length > 0 ? told.map((one) => fixOf(one, phaseKey(evidence), "there")).join("; ") : row.there,
    rfc: row.rfc,
  };
}

/** What the operator is advised to do here; one clause. */
export function adviceFor(failure: Failure): string {
  return causeOf(failure).fix;
}

/** How to find out about an attribute that the peer does not tell. */
export function compareAdvice(attribute: Attribute): string {
  return FIXES[attribute].compare;
}

function fixOf({ attribute, theirs, ours }: Compared, section: string, side: "here" | "there"): string {
  const words = (values: readonly string[] | undefined) => (values?.length ? values.slice(0, 3).join(" or ") : "none");
  return FIXES[attribute][side](words(theirs), words(ours)).replace("`proposals`", `\`${section}.proposals\``);
}

function phaseKey(evidence: Evidence | undefined): string {
  return evidence?.phase === 2 ? "esp" : "ike";
}
