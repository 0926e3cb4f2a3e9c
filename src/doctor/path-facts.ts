/**
 * Looks at the way to a peer with messages that every IKE daemon answers and that leave nothing behind: an offer that nobody accepts, at both
 * ports, and of growing length. One exchange with the tunnel's own offer tells about NAT; the peer forgets it by itself.
 */
import { createKeyExchange } from "../../crypto/backends.js";
import type { Random } from "../../crypto/interfaces.js";
import { rowById } from "../../crypto/registry/lookup.js";
import { parseIkeProposal } from "../../crypto/registry/proposal.js";
import { secret } from "../../crypto/secret.js";
import type { Address } from "../../esp/address.js";
import { IP_HEADER_BYTES, UDP_HEADER_BYTES } from "../../esp/mtu.js";
import { natVerdict, natWords } from "../../ike/core/nat.js";
import { offerIke } from "../../ike/core/negotiate.js";
import { firstRequest, knock } from "../../ike/probe/first-message.js";
import { createPace, type End, exchange, newSpi, openEnd, type Pace } from "../probe/exchange.js";

export interface PathFacts {
  /** Whether something that speaks IKE answers at the two ports; a string: what came instead ("ECONNREFUSED"). */
  readonly ike: boolean | string;
  readonly natT: boolean | string;
  /** Undefined: the peer was not asked, or does not say. "refused": it refuses the tunnel's own offer. */
  readonly nat?: "none" | "here" | "peer" | "both" | "refused";
  /** Octets of the largest packet that arrived, when the first link takes larger ones and nobody said that the path does not. */
  readonly blackHole?: { readonly passes: number; readonly lost: number };
  /** Octets: the largest packet that was seen to arrive whole. */
  readonly passes?: number;
}

export interface PathQuestion {
  readonly remote: Address;
  /** To bind to; absent: by route. */
  readonly local?: Address;
  readonly mark: number;
  readonly version: 1 | 2;
  readonly proposals: readonly string[];
  /** Octets of the first link. */
  readonly linkMtu: number;
}

const IKE_PORT = 500;
const NAT_T_PORT = 4500;
/** Milliseconds for an answer, when it is not known yet how far the peer is; then a few times the way there. */
const FIRST_PATIENCE = 700;
const LEAST_PATIENCE = 300;
const TRIES = 2;
const NONCE_BYTES = 32;
/** What links and tunnels of all sorts let through, in octets: a path is one of these, or near. */
const USUAL_MTUS = [9000, 1500, 1492, 1480, 1460, 1440, 1420, 1400, 1380, 1360, 1320, 1280, 1200, 1100, 1000, 800, 576];

export async function lookAtPath(question: PathQuestion, random: Random): Promise<PathFacts> {
  const pace = createPace();
  const at500 = open(question, IKE_PORT);
  const at4500 = open(question, NAT_T_PORT);
  try {
    const ike = await answersAt(at500, question, random, pace);
    const natT = await answersAt(at4500, question, random, pace);
    const path =
      ike.answered === true ? { end: at500, ...ike } : natT.answered === true ? { end: at4500, ...natT } : undefined;
    if (path === undefined || typeof path.end === "string") return { ike: ike.answered, natT: natT.answered };
    const nat = question.version === 2 ? await askForNat(path.end, question, random, pace) : undefined;
    const width = await widthOf(path.end, question, path.version, path.patience, random, pace);
    return { ike: ike.answered, natT: natT.answered, ...(nat && { nat }), ...width };
  } finally {
    for (const end of [at500, at4500]) if (typeof end !== "string") end.socket.close();
  }
}

/** A string: why there is no socket. */
function open(question: PathQuestion, port: number): End | string {
  try {
    return openEnd(question, port);
  } catch (error) {
    return (error as Error).message;
  }
}

interface Answered {
  readonly answered: boolean | string;
  readonly version: 1 | 2;
  /** Milliseconds to wait for the next answers. */
  readonly patience: number;
}

/** The tunnel's version first; a peer that is deaf to it may speak the other one. */
async function answersAt(end: End | string, question: PathQuestion, random: Random, pace: Pace): Promise<Answered> {
  const { version } = question;
  const failed = (answered: boolean | string): Answered => ({ answered, version, patience: FIRST_PATIENCE });
  if (typeof end === "string") return failed(end);
  let said: string | undefined;
  for (const one of [version, version === 1 ? 2 : 1] as const) {
    for (let i = 0; i < TRIES; i++) {
      const spi = newSpi(random);
      const message = knock(one, spi, random(NONCE_BYTES));
      await pace();
      const from = performance.now();
      const heard = await exchange(end, message, spi, FIRST_PATIENCE);
      if (typeof heard === "string") said = heard;
      else if (heard !== undefined) {
        const patience = Math.min(FIRST_PATIENCE, LEAST_PATIENCE + 4 * (performance.now() - from));
        return { answered: true, version: one, patience };
      }
    }
  }
  return failed(said ?? false);
}

const MOST_RESTARTS = 3;

/** With the tunnel's own offer: only who accepts it sends the hashes of NAT detection. */
async function askForNat(end: End, { proposals }: PathQuestion, random: Random, pace: Pace): Promise<PathFacts["nat"]> {
  const ours = proposals.map((words) => parseIkeProposal(words));
  const groups = ours.flatMap(({ keyExchange }) => keyExchange.flatMap(({ ids }) => ids.ikev2 ?? []));
  const path = { local: end.socket.local, remote: end.remote };
  const spi = newSpi(random);
  const nonce = random(NONCE_BYTES);
  let group = groups[0];
  let cookie: Uint8Array | undefined;
  for (let i = 0; i < MOST_RESTARTS; i++) {
    const row = group === undefined ? undefined : rowById("keyExchange", "ikev2", group);
    if (group === undefined || row === undefined) return undefined;
    const publicValue = createKeyExchange(row).publicValue(secret(random(row.privateBytes)));
    const request = firstRequest({
      spi,
      sa: offerIke(ours),
      group,
      publicValue,
      nonce,
      path,
      ...(cookie && { cookie }),
    });
    await pace();
    const heard = await exchange(end, request, spi, FIRST_PATIENCE);
    if (heard === undefined || typeof heard === "string") return undefined;
    if (heard.kind === "cookie") cookie = heard.cookie;
    else if (heard.kind === "otherGroup" && groups.includes(heard.group)) group = heard.group;
    else if (heard.kind === "chosen" && heard.version === 2) {
      const verdict = natVerdict({ initiatorSpi: spi, responderSpi: heard.responderSpi }, path, heard.notifies);
      return verdict.supported ? natWords(verdict) : undefined;
    } else return heard.kind === "refused" ? "refused" : undefined;
  }
  return undefined;
}

/** The widest packet that arrives. A path that says so itself (ICMP) is no black hole. */
async function widthOf(
  end: End,
  { linkMtu, remote }: PathQuestion,
  version: 1 | 2,
  patience: number,
  random: Random,
  pace: Pace,
): Promise<Pick<PathFacts, "blackHole" | "passes">> {
  const overhead = IP_HEADER_BYTES[remote.family] + UDP_HEADER_BYTES + (end.port === NAT_T_PORT ? 4 : 0);
  const arrives = async (octets: number): Promise<boolean | string> => {
    let said: string | undefined;
    for (let i = 0; i < TRIES; i++) {
      const spi = newSpi(random);
      const message = knock(version, spi, random(NONCE_BYTES), octets - overhead);
      await pace();
      const heard = await exchange(end, message, spi, patience);
      if (typeof heard === "string") said = heard;
      else if (heard !== undefined) return true;
    }
    return said ?? false;
  };
  const sizes = [linkMtu, ...USUAL_MTUS.filter((mtu) => mtu < linkMtu)];
  const first = await arrives(linkMtu);
  if (first === true) return { passes: linkMtu };
  // The smallest that is known to pass is the knock without padding; the places between are halved.
  let [low, high] = [sizes.length, 0];
  let told = typeof first === "string";
  while (low - high > 1) {
    const middle = (low + high) >> 1;
    const result = await arrives(sizes[middle]!);
    if (result === true) low = middle;
    else {
      high = middle;
      told ||= typeof result === "string";
    }
  }
  const passes = sizes[low];
  if (passes === undefined) return {};
  return told ? { passes } : { passes, blackHole: { passes, lost: sizes[high]! } };
}
