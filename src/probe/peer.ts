/**
 * Asks a peer what it accepts, politely: so many packets a second, each question repeated only when nothing comes, and never so many
 * negotiations left half-open that the peer would shut us out.
 */
import { type Address, formatAddress } from "../../esp/address.js";
import type { Identity } from "../../ike/core/identity.js";
import { catalogueOf } from "../../ike/probe/catalogue.js";
import { firstRequest } from "../../ike/probe/first-message.js";
import { type Accepted, askV2, NOBODYS_GROUP, type VerdictV2 } from "../../ike/probe/questions.js";
import type { SaPayload } from "../../ike/wire/payloads/sa.js";
import { type AskedChildren, type Membership, probeChildren } from "./children.js";
import { createPace, newSpi, openEnd } from "./exchange.js";
import { type Asked, askAgain, Deaf, type Line, type ProbePorts, putAll } from "./line.js";
import { type AskedV1, type Mode, probeV1 } from "./version-1.js";

export interface ProbeQuestion {
  readonly remote: Address;
  readonly local?: Address;
  readonly port: number;
  /** Packets a second. */
  readonly rate: number;
  readonly versions: readonly (1 | 2)[];
  /** As which aggressive mode asks; absent: our address. */
  readonly localId?: Identity;
  /** Absent: algorithms of ESP are not asked for. */
  readonly member?: Membership;
}

export interface VersionResult extends Asked<Accepted> {
  /** Of version 1. */
  readonly modes?: AskedV1["modes"];
  /** Absent: not asked for, or there was no IKE SA to ask in. */
  readonly children?: AskedChildren;
}

export interface ProbeResult {
  readonly remote: string;
  readonly versions: Readonly<Partial<Record<1 | 2, VersionResult>>>;
  /** Names of vendors and extensions, as the peer announces them. */
  readonly vendors: readonly string[];
  readonly packets: number;
}

const NONCE_BYTES = 32;
const MOST_COOKIES = 3;

export async function probePeer(question: ProbeQuestion, ports: ProbePorts): Promise<ProbeResult> {
  const { remote, local, port, rate, localId, member } = question;
  const end = openEnd({ remote, ...(local && { local }), mark: 0, fragmentation: "allowed" }, port);
  const count = { packets: 0 };
  const pace = createPace(rate);
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
    for (const version of question.versions) {
      const asked: VersionResult = await (version === 2 ? probeV2(line) : probeV1(line, localId));
      versions[version] = member === undefined ? asked : await withChildren(line, version, asked, member);
    }
    return { remote: formatAddress(remote), versions, vendors: [...line.vendors], packets: count.packets };
  } finally {
    end.socket.close();
  }
}

/** Main mode wherever it is taken. */
export function modeOf(modes: VersionResult["modes"]): Mode {
  return modes?.main === "accepted" ? "main" : "aggressive";
}

async function withChildren(
  line: Line,
  version: 1 | 2,
  asked: VersionResult,
  member: Membership,
): Promise<VersionResult> {
  const { accepted, modes } = asked;
  if (accepted === undefined) return asked;
  if (modes === undefined || version === 2)
    return { ...asked, children: await probeChildren(line, accepted, { version: 2 }, member) };
  const exchange = modeOf(modes);
  const children = await probeChildren(line, accepted, { version, exchange }, member);
  if (children.verdict !== "failed" || exchange === "aggressive" || modes.aggressive !== "accepted")
    return { ...asked, children };
  // A peer may begin main mode with everybody, and refuse it as soon as it knows who calls.
  const second = await probeChildren(line, accepted, { version, exchange: "aggressive" }, member);
  if (second.verdict === "failed") {
    const note = `main mode: ${children.note}; aggressive mode: ${second.note}`;
    return { ...asked, children: { verdict: "failed", note } };
  }
  return { ...asked, modes: { ...modes, main: "refused" }, children: second };
}

function probeV2(line: Line): Promise<Asked<Accepted>> {
  return putAll(askV2(catalogueOf(2)), (sa) => {
    line.ports.progress("IKEv2: asks for algorithms");
    return askOnceV2(line, sa);
  });
}

async function askOnceV2(line: Line, sa: SaPayload): Promise<VerdictV2> {
  const { random } = line.ports;
  const spi = newSpi(random);
  const wish = { spi, sa, group: NOBODYS_GROUP, publicValue: random(NONCE_BYTES), nonce: random(NONCE_BYTES) };
  let cookie: Uint8Array | undefined;
  for (let i = 0; i <= MOST_COOKIES; i++) {
    const answer = await askAgain(line, firstRequest({ ...wish, ...(cookie && { cookie }) }), spi);
    if (answer.kind === "cookie") cookie = answer.cookie;
    else if (answer.kind === "otherGroup") return { accepted: true, group: answer.group };
    else return { accepted: answer.kind === "chosen", group: NOBODYS_GROUP };
  }
  throw new Deaf();
}
