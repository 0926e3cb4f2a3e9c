/**
 * For programs that use the endpoint without the daemon, such as a peer in somebody's tests: a policy in a few words, answers
 * to the endpoint's questions on the spot, and datagrams.
 */
import { createKeyExchange } from "../crypto/backends.js";
import { utf8 } from "../crypto/bytes.js";
import { rowById } from "../crypto/registry/lookup.js";
import { DEFAULT_ESP_PROPOSALS, DEFAULT_IKE_PROPOSALS } from "../crypto/registry/proposal.js";
import { secret } from "../crypto/secret.js";
import { parseAddress, parsePrefix } from "../esp/address.js";
import { selectorFromPrefix } from "../esp/selector.js";
import { classifyDatagram, DATAGRAM, NON_ESP_MARKER_BYTES } from "../esp/udp-encap.js";
import type { Policy, TunnelPolicy } from "./core/policy.js";
import type { Answer, Question } from "./core/types.js";

export interface PolicyWords {
  /** Our outer address. */
  readonly local: string;
  /** The peer's outer address; absent: anybody, who has to call. */
  readonly peer?: string;
  /** "10.2.0.0/16 10.1.0.0/16": our range and the peer's. */
  readonly mappings: readonly string[];
  /** What differs from the defaults of the tunnel. */
  readonly tunnel?: Partial<TunnelPolicy>;
}

/** The policy of one tunnel, "tunnel", that waits for its peer. Throws `RangeError` for what is no address or prefix. */
export function policyOf({ local, peer, mappings, tunnel = {} }: PolicyWords): Policy {
  const range = (prefix: string | undefined) => selectorFromPrefix(parsePrefix(prefix ?? ""));
  return {
    tunnels: [
      {
        name: "tunnel",
        peer: peer === undefined ? { kind: "any" } : { kind: "address", address: parseAddress(peer) },
        localAddress: parseAddress(local),
        start: "passive",
        close: "none",
        duplicates: "replace",
        encapsulation: "auto",
        split: "auto",
        mappings: mappings.map((line) => {
          const [ours, theirs] = line.split(" ");
          return { local: range(ours), peer: range(theirs) };
        }),
        entries: mappings.map((_, first) => ({ first, count: 1 })),
        // A message is one datagram, and nothing watches this host's addresses.
        ike: {
          version: 2,
          proposals: DEFAULT_IKE_PROPOSALS,
          lifetimeSeconds: 86_400,
          keepaliveSeconds: 20,
          fragmentation: "off",
          mobike: false,
        },
        esp: { proposals: DEFAULT_ESP_PROPOSALS, lifetimeSeconds: 3600, volumeOctets: 0, replayWindow: 64 },
        ...tunnel,
      },
    ],
    ports: { ike: 500, natT: 4500 },
    limits: { halfOpen: 64, halfOpenPerAddress: 16 },
  };
}

/** Answers a question at once, in this thread: a key exchange may take milliseconds. Names are not looked up. */
export function answerWith(psk: string, question: Question): Answer {
  switch (question.kind) {
    case "psk":
      return { kind: "psk", psk: secret(utf8(psk)) };
    case "resolve":
      return { kind: "refused", reason: "names are not looked up here" };
    case "publicValue":
    case "sharedSecret": {
      const row = rowById("keyExchange", "ikev2", question.group);
      if (row === undefined) return { kind: "refused", reason: `there is no key exchange method ${question.group}` };
      const method = createKeyExchange(row);
      if (question.kind === "publicValue")
        return { kind: "publicValue", publicValue: method.publicValue(question.privateOctets) };
      try {
        return { kind: "sharedSecret", secret: method.sharedSecret(question.privateOctets, question.peerPublic) };
      } catch (error) {
        return { kind: "refused", reason: String(error) };
      }
    }
  }
}

const NAT_T_PORT = 4500;

/** A message as the datagram of its port: behind the non-ESP marker on 4500 (RFC 3948 section 2.2). */
export function datagramOf(bytes: Uint8Array, localPort: number): Uint8Array {
  if (localPort !== NAT_T_PORT) return bytes;
  const datagram = new Uint8Array(NON_ESP_MARKER_BYTES + bytes.length);
  datagram.set(bytes, NON_ESP_MARKER_BYTES);
  return datagram;
}

/** The message in a datagram; undefined for ESP, a keepalive, and what is too short. */
export function messageIn(datagram: Uint8Array, localPort: number): Uint8Array | undefined {
  if (localPort !== NAT_T_PORT) return datagram;
  const kind = classifyDatagram(datagram, 0, datagram.length);
  return kind === DATAGRAM.ike ? datagram.subarray(NON_ESP_MARKER_BYTES) : undefined;
}
