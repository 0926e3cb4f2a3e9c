/** What a peer accepts for child SAs: asked in an IKE SA of its own, with the key. */
import type { EspProposal, EspSuite } from "../../crypto/registry/suite.js";
import type { TrafficSelector } from "../../esp/selector.js";
import { childCatalogueOf } from "../../ike/probe/catalogue.js";
import { type AcceptedChild, askChild } from "../../ike/probe/child-questions.js";
import type { Accepted } from "../../ike/probe/questions.js";
import { openEnd } from "./exchange.js";
import type { Line } from "./line.js";
import { openSession, SessionError, type SessionWish, type Taken } from "./session.js";

/** Who we are to the peer, and for which networks we ask. */
export type Membership = Pick<SessionWish, "psk" | "localId" | "peerId"> & {
  readonly local: TrafficSelector;
  readonly remote: TrafficSelector;
};

export interface AskedChildren {
  /** "failed": it did not come to that question; `note` says why. */
  readonly verdict: "accepted" | "refused" | "failed";
  readonly accepted?: AcceptedChild;
  /** What the peer left of the networks that were asked for. */
  readonly local?: readonly string[];
  readonly remote?: readonly string[];
  readonly note?: string;
  /** Of `CAUSES`, for "failed". */
  readonly code?: string;
}

const NAT_T_PORT = 4500;

export async function probeChildren(
  line: Line,
  { works, groups }: Accepted,
  how: ({ readonly version: 1 } & { readonly exchange: "main" | "aggressive" }) | { readonly version: 2 },
  member: Membership,
): Promise<AskedChildren> {
  const { end, pace, ports } = line;
  const { address } = end.socket.local;
  const natT = openEnd({ remote: end.remote.address, local: address, mark: 0, fragmentation: "allowed" }, NAT_T_PORT);
  const session = openSession({ ...member, ...how, ike: works }, { ike: end, natT, random: ports.random, pace });
  let taken: Taken | undefined;
  const put = async (proposals: readonly EspProposal[]): Promise<EspSuite | undefined> => {
    ports.progress(`IKEv${how.version}: asks for algorithms of ESP`);
    const answer = await session.ask(proposals);
    taken ??= answer;
    return answer?.suite;
  };
  try {
    const catalogue = childCatalogueOf(how.version, groups);
    const questions = askChild(how.version, catalogue);
    let next = questions.next();
    // The child of IKE_AUTH has no key exchange of its own (RFC 7296 section 1.2), so what is taken there says nothing of PFS.
    if (how.version === 2 && !next.done) await put(next.value);
    while (!next.done) next = questions.next(await put(next.value));
    if (next.value === undefined) return { verdict: "refused" };
    const { local, remote } = taken!;
    return { verdict: "accepted", accepted: next.value, local, remote };
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    const { message, code } = error;
    return { verdict: "failed", note: message, ...(code !== undefined && { code }) };
  } finally {
    await session.close();
    natT.socket.close();
  }
}
