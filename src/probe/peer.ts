/**
 * Asks a peer what it accepts, politely: so many packets a second, each question repeated only when nothing comes, and never so many
 * negotiations left half-open that the peer would shut us out.
 */
import type { Random } from "../../crypto/interfaces.js";
import { type Address, formatAddress } from "../../esp/address.js";
import { FEATURE_VENDOR_ID, vendorName } from "../../ike/core/vendor-ids.js";
import { catalogueOf } from "../../ike/probe/catalogue.js";
import { type FirstAnswer, firstMessageV1, firstRequest } from "../../ike/probe/first-message.js";
import {
  type Accepted,
  askV1,
  askV2,
  NOBODYS_GROUP,
  type VerdictV1,
  type VerdictV2,
} from "../../ike/probe/questions.js";
import type { SaPayload } from "../../ike/wire/payloads/sa.js";
import type { SaPayloadV1 } from "../../ike/wire/payloads/v1/sa.js";
import { createPace, type End, exchange, newSpi, openEnd, type Pace } from "./exchange.js";

export interface ProbeQuestion {
  readonly remote: Address;
  readonly local?: Address;
  readonly port: number;
  /** Packets a second. */
  readonly rate: number;
  readonly versions: readonly (1 | 2)[];
}

export interface VersionResult {
  /** "silent": nothing answers in this version; "refused": it answers, and accepts nothing of what we know. */
  readonly verdict: "accepted" | "refused" | "silent";
  readonly accepted?: Accepted;
  /** Why it ended before its time. */
  readonly note?: string;
}

export interface ProbeResult {
  readonly remote: string;
  readonly versions: Readonly<Partial<Record<1 | 2, VersionResult>>>;
  /** Names of vendors and extensions, as the peer announces them. */
  readonly vendors: readonly string[];
  readonly packets: number;
}

const PATIENCE = 1_000;
const TRIES = 3;
const NONCE_BYTES = 32;
const MOST_COOKIES = 3;
/**
 * strongSwan asks for cookies from three half-open negotiations of an address on, and is deaf from five on, both for half a minute. A
 * refusal costs nothing; a choice in IKEv1 stays half-open that long.
 */
const MOST_HALF_OPEN = 2;
const HALF_OPEN_LIFE = 32_000;

/** The peer has stopped answering what it answered before. */
class Deaf extends Error {}

export interface ProbePorts {
  readonly random: Random;
  /** Told to somebody who waits. */
  readonly progress: (sentence: string) => void;
  readonly now: () => number;
  readonly wait: (milliseconds: number) => Promise<void>;
}

export async function probePeer(question: ProbeQuestion, ports: ProbePorts): Promise<ProbeResult> {
  const end = openEnd(
    { remote: question.remote, ...(question.local && { local: question.local }), mark: 0, fragmentation: "allowed" },
    question.port,
  );
  const count = { packets: 0 };
  const pace = createPace(question.rate);
  const line: Line = {
    end,
    ports,
    vendors: new Set(),
    pace: () => {
      count.packets++;
      return pace();
    },
  };
  try {
    const versions: Partial<Record<1 | 2, VersionResult>> = {};
    for (const version of question.versions) versions[version] = await (version === 2 ? probeV2(line) : probeV1(line));
    return { remote: formatAddress(question.remote), versions, vendors: [...line.vendors], packets: count.packets };
  } finally {
    end.socket.close();
  }
}

interface Line {
  readonly end: End;
  readonly ports: ProbePorts;
  readonly pace: Pace;
  readonly vendors: Set<string>;
}

async function probeV2(line: Line): Promise<VersionResult> {
  const questions = askV2(catalogueOf(2));
  let heard = false;
  try {
    for (let next = questions.next(); ; ) {
      if (next.done) return next.value ? { verdict: "accepted", accepted: next.value } : { verdict: "refused" };
      line.ports.progress("IKEv2: asks for algorithms");
      const verdict = await askOnceV2(line, next.value);
      heard = true;
      next = questions.next(verdict);
    }
  } catch (error) {
    return ended(error, heard);
  }
}

function ended(error: unknown, heard: boolean): VersionResult {
  if (!(error instanceof Deaf)) throw error;
  if (!heard) return { verdict: "silent" };
  return {
    verdict: "silent",
    note: "the peer answered at first, and does not any more: it may have shut us out for a while; try again with a lower --rate",
  };
}

async function askOnceV2(line: Line, sa: SaPayload): Promise<VerdictV2> {
  const { end, ports } = line;
  const spi = newSpi(ports.random);
  const wish = {
    spi,
    sa,
    group: NOBODYS_GROUP,
    publicValue: ports.random(NONCE_BYTES),
    nonce: ports.random(NONCE_BYTES),
  };
  let cookie: Uint8Array | undefined;
  for (let i = 0; i <= MOST_COOKIES; i++) {
    const answer = await askAgain(line, firstRequest({ ...wish, ...(cookie && { cookie }) }), spi, end);
    if (answer.kind === "cookie") cookie = answer.cookie;
    else if (answer.kind === "otherGroup") return { accepted: true, group: answer.group };
    else return { accepted: answer.kind === "chosen", group: NOBODYS_GROUP };
  }
  throw new Deaf();
}

/** Throws `Deaf` when nothing comes. */
async function askAgain(line: Line, message: Uint8Array, spi: bigint, end: End): Promise<FirstAnswer> {
  for (let i = 0; i < TRIES; i++) {
    await line.pace();
    const heard = await exchange(end, message, spi, PATIENCE);
    if (heard === undefined || typeof heard === "string") continue;
    if ("vendorIds" in heard) for (const id of heard.vendorIds) line.vendors.add(vendorName(id));
    return heard;
  }
  throw new Deaf();
}

async function probeV1(line: Line): Promise<VersionResult> {
  const { ports } = line;
  const questions = askV1(catalogueOf(1));
  /** When each negotiation was left half-open. */
  const halfOpen: number[] = [];
  let heard = false;
  try {
    for (let next = questions.next(); ; ) {
      if (next.done) return next.value ? { verdict: "accepted", accepted: next.value } : { verdict: "refused" };
      await roomFor(halfOpen, ports);
      ports.progress("IKEv1: asks for algorithms");
      const verdict = await askOnceV1(line, next.value);
      heard = true;
      if (verdict.accepted) halfOpen.push(ports.now());
      next = questions.next(verdict);
    }
  } catch (error) {
    return ended(error, heard);
  }
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

async function askOnceV1(line: Line, sa: SaPayloadV1): Promise<VerdictV1> {
  const spi = newSpi(line.ports.random);
  const vendorIds = [FEATURE_VENDOR_ID.natTraversal, FEATURE_VENDOR_ID.deadPeerDetection];
  const answer = await askAgain(line, firstMessageV1(spi, sa, vendorIds), spi, line.end);
  return answer.kind === "chosen" && answer.version === 1 ? { accepted: true, sa: answer.sa } : { accepted: false };
}
