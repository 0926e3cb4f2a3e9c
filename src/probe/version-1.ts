/**
 * IKEv1: main mode and aggressive mode with a pre-shared key. A peer answers an offer with its choice and waits: such negotiations stay half-open, so
 * there are never so many of them that the peer would shut us out.
 */
import { createKeyExchange } from "../../crypto/backends.js";
import type { Random } from "../../crypto/interfaces.js";
import { rowById } from "../../crypto/registry/lookup.js";
import { secret } from "../../crypto/secret.js";
import { addressIdentity, type Identity } from "../../ike/core/identity.js";
import { FEATURE_VENDOR_ID } from "../../ike/core/vendor-ids.js";
import { catalogueOf } from "../../ike/probe/catalogue.js";
import { firstAggressive, firstMessageV1 } from "../../ike/probe/first-message.js";
import { type Accepted, askV1, type Catalogue, type VerdictV1 } from "../../ike/probe/questions.js";
import type { SaPayloadV1 } from "../../ike/wire/payloads/v1/sa.js";
import { PHASE1_ATTRIBUTE } from "../../ike/wire/v1-attributes.js";
import { newSpi } from "./exchange.js";
import { type Asked, askAgain, type Line, type ProbePorts, putAll } from "./line.js";

export type Mode = "main" | "aggressive";

export interface AskedV1 extends Asked<Accepted> {
  readonly modes: Readonly<Record<Mode, Asked<Accepted>["verdict"]>>;
}

const NONCE_BYTES = 32;
/**
 * strongSwan asks for cookies from three half-open negotiations of an address on, and is deaf from five on, both for half a minute. A
 * refusal costs nothing; a choice stays half-open that long.
 */
const MOST_HALF_OPEN = 2;
const HALF_OPEN_LIFE = 32_000;

/** Main mode, and whether aggressive mode takes the same; where main mode is not taken, all of it in aggressive mode. */
export async function probeV1(line: Line, localId: Identity | undefined): Promise<AskedV1> {
  /** When each negotiation was left half-open. */
  const halfOpen: number[] = [];
  const main = await askMode("main", catalogueOf(1));
  const { accepted } = main;
  const aggressive = await askMode("aggressive", accepted === undefined ? catalogueOf(1) : only(accepted));
  const modes = { main: main.verdict, aggressive: aggressive.verdict };
  return { ...(accepted === undefined && aggressive.accepted !== undefined ? aggressive : main), modes };

  function askMode(mode: Mode, catalogue: Catalogue): Promise<Asked<Accepted>> {
    return putAll(askV1(catalogue), async (sa) => {
      await roomFor(halfOpen, line.ports);
      line.ports.progress(`IKEv1: asks for algorithms in ${mode} mode`);
      const verdict = await askOnce(line, sa, mode, localId);
      if (verdict.accepted) halfOpen.push(line.ports.now());
      return verdict;
    });
  }
}

/** The one combination that is known to work: nothing is left to be struck. */
function only({ works: { encryption, integrity, prf, keyExchange } }: Accepted): Catalogue {
  return { encryption, integrity, prf, groups: keyExchange };
}

/** Waits until the peer has forgotten so much that one more does not matter. */
async function roomFor(halfOpen: number[], { now, wait, progress }: ProbePorts): Promise<void> {
  while (halfOpen[0] !== undefined && now() - halfOpen[0] >= HALF_OPEN_LIFE) halfOpen.shift();
  if (halfOpen.length < MOST_HALF_OPEN) return;
  const left = halfOpen[0]! + HALF_OPEN_LIFE - now();
  progress(`IKEv1: waits ${Math.ceil(left / 1_000)} s until the peer has forgotten the negotiations so far`);
  await wait(left);
  halfOpen.shift();
}

async function askOnce(line: Line, sa: SaPayloadV1, mode: Mode, localId: Identity | undefined): Promise<VerdictV1> {
  const { random } = line.ports;
  const cookie = newSpi(random);
  const vendorIds = [FEATURE_VENDOR_ID.natTraversal, FEATURE_VENDOR_ID.deadPeerDetection];
  const identity = localId ?? addressIdentity(line.end.socket.local.address);
  const message =
    mode === "main"
      ? firstMessageV1(cookie, sa, vendorIds)
      : firstAggressive({
          cookie,
          sa,
          vendorIds,
          identity,
          nonce: random(NONCE_BYTES),
          publicValue: publicValue(sa, random),
        });
  const answer = await askAgain(line, message, cookie);
  return answer.kind === "chosen" && answer.version === 1 ? { accepted: true, sa: answer.sa } : { accepted: false };
}

/** Of the group that all of the offer has: a peer may look whether it is a point of the curve. */
function publicValue({ proposals }: SaPayloadV1, random: Random): Uint8Array {
  const number = proposals[0]?.transforms[0]?.attributes.find(({ type }) => type === PHASE1_ATTRIBUTE.group)?.value;
  const row = typeof number === "number" ? rowById("keyExchange", "phase1", number) : undefined;
  if (row === undefined) throw new Error("an offer for phase 1 without a group that we know");
  return createKeyExchange(row).publicValue(secret(random(row.privateBytes)));
}
