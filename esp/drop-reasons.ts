/**
 * Why a packet does not pass. Every drop is counted under one of these names; the sentence is for the operator.
 * On the packet path a reason is its code: functions that return a length return `-code` instead.
 */

const REASONS = {
  noPolicy: "no mapping covers the inner source and destination",
  linkLocal: "the packet is for one link alone, and no mapping covers it: hosts send such on every device",
  policyDrop: "a drop policy of the tunnel covers the packet",
  policyBypass:
    "a bypass policy covers the packet: it belongs outside of the tunnel, in clear, and something led it into it",
  noSa: "the mapping has no established SA to send on",
  narrowed: "the peer narrowed the mapping, and no SA covers this packet",
  heldFull: "too many packets waited for the SA of a mapping that traffic brings up",
  heldExpired: "the packet waited too long for the SA of its mapping, which traffic brings up",
  unknownSpi: "no SA has this SPI (the peer may be using one that was deleted)",
  larvalFull: "too many packets waited for an SA that is still being negotiated",
  larvalExpired: "the packet waited too long for its SA to be installed",
  replayed: "the sequence number was seen before",
  replayedOld: "the sequence number lies before the replay window (reordering beyond replay_window, or a replay)",
  forged: "the integrity check value is wrong (corrupted, forged, or keys that differ)",
  badPadding: "the ESP padding is not as RFC 4303 section 2.4 wants it",
  badNextHeader: "what ESP carries is not an IP packet (tunnel mode carries IPv4 and IPv6)",
  selectorMismatch: "the peer sent a packet that the SA's traffic selectors do not cover",
  dummy: "a dummy packet of traffic flow confidentiality (RFC 4303 section 2.6)",
  malformed: "the IP header is not well-formed, or shorter than it claims",
  shortEsp: "the ESP packet is too short or not aligned for its algorithms",
  tooBig: "the packet is larger than the tunnel can carry",
  sequenceExhausted: "the sequence numbers of the SA are used up, and it was not rekeyed in time",
  hardLimit: "the SA reached its volume limit, and was not rekeyed in time",
  ttl: "the time to live of the inner packet is used up",
  ecnCorrupt: "the outer header says congestion experienced, but the inner packet is not capable of it (RFC 6040)",
  ownPeerAddress: "the packet is addressed to the outer address of a peer and would run in a circle",
  notFromPeer: "the outer addresses are not those of a peer",
  queueFull: "a socket or the TUN device took no more packets",
  sendFailed: "the operating system refused to send the packet",
  badOffload: "the TUN device delivered a packet whose offload header makes no sense",
  notEsp: "a datagram on the NAT traversal port is neither IKE nor ESP nor a keepalive",
} as const;

export type DropReason = keyof typeof REASONS;

/** Names by code; code 0 is no drop. */
export const DROP_NAMES: readonly DropReason[] = Object.keys(REASONS) as DropReason[];

/** Codes start at 1. */
export const DROP: Readonly<Record<DropReason, number>> = Object.fromEntries(
  DROP_NAMES.map((name, i) => [name, i + 1]),
) as Record<DropReason, number>;

/** The length of a table that is indexed with codes. */
export const DROP_COUNT = DROP_NAMES.length + 1;

/** The name of a code; throws `RangeError` for what is no code. */
export function dropName(code: number): DropReason {
  const name = DROP_NAMES[code - 1];
  if (name === undefined) throw new RangeError(`no drop reason has the code ${code}`);
  return name;
}

/** One sentence for the operator, without a full stop. */
export function dropSentence(name: DropReason): string {
  return REASONS[name];
}

/** Counts by reason; `counts` is indexed by code. Reasons that never happened are left out. */
export function dropRecord(counts: Float64Array): Record<string, number> {
  const record: Record<string, number> = {};
  for (const [i, name] of DROP_NAMES.entries()) if (counts[i + 1]) record[name] = counts[i + 1]!;
  return record;
}
