/** The joined endpoints of `../v2/pair.ts` with a tunnel of IKEv1, and messages as the other side would send them. */
import assert from "node:assert/strict";
import { createPrf } from "../../../crypto/backends.js";
import { encryptMessage, withHash } from "../../../ike/v1/encrypted.js";
import { current, firstIv } from "../../../ike/v1/exchange.js";
import { hash1 } from "../../../ike/v1/hashes.js";
import { headerOf } from "../../../ike/v1/phase1.js";
import type { V1Peer } from "../../../ike/v1/state.js";
import type { ExchangeNameV1 } from "../../../ike/wire/exchange-types.js";
import type { PayloadV1 } from "../../../ike/wire/message-v1.js";
import { createPair, type Pair, type PairOptions, type Side, view } from "../v2/pair.js";

export type Exchange = "main" | "aggressive";

const IKE = ["aes128-sha256-modp2048"];
const ESP = ["aes128-sha1"];

/** A is active, B passive; nothing has happened yet. */
export function createPairV1(exchange: Exchange, options: PairOptions = {}): Pair {
  const shared = { exchange, ikeProposals: IKE, espProposals: ESP };
  return createPair({ ...options, a: { ...shared, ...options.a }, b: { ...shared, ...options.b } });
}

/** A pair whose tunnel is up, with all its mappings. */
export function establishedPairV1(exchange: Exchange, options: PairOptions = {}): Pair {
  const pair = createPairV1(exchange, options);
  pair.pass(2_000);
  assert.equal(view(pair.a).state, "established", view(pair.a).reason);
  assert.equal(view(pair.b).state, "established", view(pair.b).reason);
  return pair;
}

/** Everything that a side has with its one peer. */
export function peerOf(side: Side): V1Peer {
  const peers = [...side.endpoint.sas.values()].filter((sa) => sa.phase === "peer");
  assert.equal(peers.length, 1, `${side.name} has ${peers.length} peers`);
  return peers[0]!;
}

/** A message of one as the peer of the other side would send it, or with a wrong HASH. */
export function forgeV1(
  from: Side,
  exchange: ExchangeNameV1,
  payloads: readonly PayloadV1[],
  { messageId, spoil = false }: { readonly messageId: number; readonly spoil?: boolean },
): Uint8Array {
  const phase1 = current(peerOf(from))!;
  const prf = createPrf(phase1.suite.prf);
  const hashOf = (behindHash: Uint8Array) => {
    const hash = hash1(prf, phase1.keys.skeyidA, messageId, behindHash);
    return spoil ? hash.map((octet) => octet ^ 1) : hash;
  };
  const header = headerOf(phase1, exchange, messageId);
  return encryptMessage(header, withHash(payloads, hashOf), phase1.cipher, firstIv(phase1, messageId)).bytes;
}
