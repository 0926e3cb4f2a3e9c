/**
 * MOBIKE, RFC 4555: an IKE SA and its children outlive a change of address of either end. Agreed on by MOBIKE_SUPPORTED in IKE_AUTH.
 *
 *     decides:  HDR, SK {N(UPDATE_SA_ADDRESSES), N(NAT_DETECTION_*_IP)}  -->     from its new address
 *                                                                       <--     HDR, SK {N(NAT_DETECTION_*_IP)}
 *                                                                       <--     HDR, SK {N(COOKIE2)}     is it really there?
 *               HDR, SK {N(COOKIE2)}                                     -->
 *
 * The side that began the first IKE SA decides which addresses are used. It moves its children at once; the other side moves
 * the IKE SA at once and the children when the new address has proved that it receives (section 3.7), so that no peer can point
 * our traffic at somebody else.
 */
import { equal, equalConstantTime } from "../../../crypto/bytes.js";
import {
  type Address,
  addressFromOctets,
  addressOctets,
  formatAddress,
  formatSocketAddress,
  isUnspecified,
  type Path,
  sameAddress,
  samePath,
} from "../../../esp/address.js";
import type { ChildId } from "../../../esp/sa.js";
import { causeCode } from "../../core/causes.js";
import type { Child } from "../../core/child.js";
import { ProtocolError } from "../../core/errors.js";
import { espPath, natDetection, natVerdict } from "../../core/nat.js";
import type { TunnelPolicy } from "../../core/policy.js";
import { transmit } from "../../core/retransmit.js";
import type { Answer } from "../../core/types.js";
import { type Payload, payload } from "../../wire/message.js";
import { isErrorNotify, notifyName } from "../../wire/notify-table.js";
import { type NotifyPayload, notification } from "../../wire/payloads/notify.js";
import { encapsulationOf } from "../child.js";
import { andThen, report, type SaContext, type SaEffect, type Step, stepTo } from "../context.js";
import type { Task } from "../exchanges.js";
import type { Received } from "../row.js";
import type { Established, Lingering, Mobike } from "../state.js";
import { sendRequest } from "../window.js";
import { type MobikeErrand, type MobikeExchange, type SaWish, wish } from "../wishes.js";

// --- IKE_AUTH ------------------------------------------------------------------------------------------------------

export function announceMobike({ ike }: TunnelPolicy): readonly NotifyPayload[] {
  return ike.mobike ? [notification("MOBIKE_SUPPORTED")] : [];
}

/** What the peer's IKE_AUTH says of it, where we say it as well. `decides`: the IKE SA is ours. */
export function agreedMobike(
  policy: TunnelPolicy,
  notifies: readonly NotifyPayload[],
  decides: boolean,
): { readonly mobike?: Mobike } {
  if (!policy.ike.mobike || !notifies.some(({ notify }) => notify === "MOBIKE_SUPPORTED")) return {};
  return { mobike: { decides, further: furtherAddresses(notifies) ?? [] } };
}

/** Addresses of the peer that we remember beside the one in use. */
const MOST_FURTHER = 8;

/** The peer's list of further addresses; undefined where it says nothing of them. */
function furtherAddresses(notifies: readonly NotifyPayload[]): readonly Address[] | undefined {
  let found: Address[] | undefined;
  for (const { notify, data } of notifies) {
    if (notify === "NO_ADDITIONAL_ADDRESSES") found ??= [];
    const bytes = notify === "ADDITIONAL_IP4_ADDRESS" ? 4 : notify === "ADDITIONAL_IP6_ADDRESS" ? 16 : undefined;
    if (bytes === undefined) continue;
    found ??= [];
    if (data.length !== bytes) throw new ProtocolError("INVALID_SYNTAX", `${notify} with ${data.length} octets`);
    const address = addressFromOctets(data);
    if (found.length < MOST_FURTHER && canBeUsed(address)) found.push(address);
  }
  return found;
}

/** NO_NATS_ALLOWED (section 3.9): source, destination, source port, destination port, as the peer sent them. */
export function refuseNat(notifies: readonly NotifyPayload[], { local, remote }: Path): void {
  const said = notifies.find(({ notify }) => notify === "NO_NATS_ALLOWED")?.data;
  if (said === undefined) return;
  const port = (value: number) => [value >> 8, value & 0xff];
  const seen = new Uint8Array([
    ...addressOctets(remote.address),
    ...addressOctets(local.address),
    ...port(remote.port),
    ...port(local.port),
  ]);
  if (!equal(said, seen))
    throw new ProtocolError(
      "UNEXPECTED_NAT_DETECTED",
      `the peer allows no NAT, but its packets come from ${formatSocketAddress(remote)}, which it did not send from`,
    );
}

// --- our own addresses ---------------------------------------------------------------------------------------------

/**
 * This host has these addresses now, or other routes: which one leads to the peer is asked for. Without MOBIKE an address that is
 * gone takes the IKE SA with it: a new one is negotiated beside it.
 */
export function onAddresses(sa: Established, addresses: readonly Address[], ctx: SaContext): Step<Established> {
  const { localAddress } = ctx.sight.tunnel(sa.tunnel);
  if (localAddress !== undefined) return stepTo(sa);
  if (sa.mobike === undefined) {
    const { address } = sa.path.local;
    if (addresses.some((one) => sameAddress(one, address))) return stepTo(sa);
    const reason = `our address ${formatAddress(address)} is gone, and the peer knows no MOBIKE`;
    return stepTo(sa, { kind: "renew", tunnel: sa.tunnel, reason });
  }
  return askRoute(sa, ctx);
}

function askRoute(sa: Established, ctx: SaContext): Step<Established> {
  const ask = ctx.ids.ask();
  return stepTo<Established>(
    { ...sa, mobike: { ...sa.mobike!, asking: ask } },
    { kind: "ask", ask, question: { kind: "resolve", name: formatAddress(sa.path.remote.address) } },
  );
}

/** An IKE SA that was replaced may have lost its last answer with the old address: the peer would ask there for ever. */
export function onAddressesLate(sa: Lingering, ctx: SaContext): Step<Lingering> {
  if (sa.mobile === undefined || sa.window.reply === undefined || sa.tunnel === undefined) return stepTo(sa);
  if (ctx.sight.tunnel(sa.tunnel).localAddress !== undefined) return stepTo(sa);
  const ask = ctx.ids.ask();
  return stepTo<Lingering>(
    { ...sa, mobile: { asking: ask } },
    { kind: "ask", ask, question: { kind: "resolve", name: formatAddress(sa.path.remote.address) } },
  );
}

export function onRouteLate(sa: Lingering, answer: Answer): Step<Lingering> {
  const address = answer.kind === "resolve" ? answer.addresses[0]?.local : undefined;
  const { reply } = sa.window;
  if (address === undefined || reply === undefined || sameAddress(address, sa.path.local.address)) return stepTo(sa);
  const path = { ...sa.path, local: { ...sa.path.local, address } };
  return stepTo({ ...sa, path }, transmit(path, reply));
}

/** The source address of the route to the peer. Without a route there is nothing to do until the next change. */
export function onRoute(sa: Established, answer: Answer, ctx: SaContext): Step<Established> {
  const { asking: _, ...mobike } = sa.mobike!;
  const next: Established = { ...sa, mobike };
  const address = answer.kind === "resolve" ? answer.addresses[0]?.local : undefined;
  if (address === undefined || sameAddress(address, sa.path.local.address)) return stepTo(next);
  const path = { ...sa.path, local: { ...sa.path.local, address } };
  const words = `our address towards the peer is ${formatAddress(address)} now: the IKE SA moves there`;
  return moveTo(next, path, mobike.decides ? "move" : "announce", words, ctx);
}

/** The IKE SA and its children use this path from now on, and the peer is told as soon as the window allows. */
function moveTo(sa: Established, path: Path, errand: MobikeExchange, words: string, ctx: SaContext): Step<Established> {
  const { datagramLimit: _, ...window } = sa.window;
  const { answering } = sa;
  const next: Established = {
    ...sa,
    path,
    window,
    // Its answer cannot leave from where the request reached us.
    ...(answering && { answering: { ...answering, request: { ...answering.request, path } } }),
    lastSent: ctx.now,
    wishes: wish(sa.wishes, { do: "mobike", errand, at: ctx.now }),
  };
  const open = sa.task?.stage === "sent" ? [transmit(path, sa.task.request)] : [];
  return andThen(moveChildren(next, ctx), (moved) =>
    stepTo(moved, ...open, report(moved, { kind: "story", story: words })),
  );
}

/** All children on the path of their IKE SA, encapsulated as the NAT on it wants. */
export function moveChildren(sa: Established, ctx: SaContext): Step<Established> {
  const encapsulation = encapsulationOf(sa.negotiated, ctx.sight.tunnel(sa.tunnel));
  const path = espPath(sa.path, encapsulation, ctx);
  const children = new Map<ChildId, Child>();
  const effects: SaEffect[] = [];
  for (const child of sa.children.values()) {
    const { pair } = child;
    if (samePath(pair.path, path) && pair.encapsulation === encapsulation) {
      children.set(child.id, child);
      continue;
    }
    children.set(child.id, { ...child, pair: { ...pair, path, encapsulation } });
    effects.push({ kind: "updateChild", id: child.id, path, encapsulation });
  }
  return stepTo({ ...sa, children }, ...effects);
}

// --- our requests --------------------------------------------------------------------------------------------------

type MobikeTask = Extract<Task, { do: "mobike" }>;

const COOKIE2_BYTES = 32;

/** HDR, SK {N(UPDATE_SA_ADDRESSES), …} | {N(COOKIE2)} | {N(NO_ADDITIONAL_ADDRESSES)} --> */
export function startMobike(sa: Established, errand: MobikeErrand, ctx: SaContext): Step<Established> {
  if (errand === "route") return askRoute(sa, ctx);
  const { path } = sa;
  const cookie = ctx.random(COOKIE2_BYTES);
  const sent = sendRequest(sa, "INFORMATIONAL", notifyAll(wordsOf(sa, errand, cookie, ctx)), ctx);
  const task = { do: "mobike", stage: "sent", errand, path, cookie, request: sent.request } as const;
  return stepTo<Established>({ ...sent.sa, task }, sent.send);
}

function wordsOf(
  sa: Established,
  errand: MobikeExchange,
  cookie: Uint8Array,
  ctx: SaContext,
): readonly NotifyPayload[] {
  switch (errand) {
    case "move":
      return [notification("UPDATE_SA_ADDRESSES"), ...detection(sa, sa.path, ctx)];
    case "prove":
      return [notification("COOKIE2", cookie)];
    case "announce":
      return [notification("NO_ADDITIONAL_ADDRESSES")];
  }
}

/** What a probe carries: behind a NAT, the question whether that NAT still shows us the same to the peer (section 3.8). */
export function probePayloads(sa: Established, ctx: SaContext): readonly Payload[] {
  return sa.mobike?.decides && sa.negotiated.nat.here ? notifyAll(detection(sa, sa.path, ctx)) : [];
}

/** <-- HDR, SK {N(NAT_DETECTION_DESTINATION_IP), …} to a probe: the peer sees us elsewhere when it is not the same as before. */
export function onProbed(sa: Established, notifies: readonly NotifyPayload[], ctx: SaContext): Step<Established> {
  const seen = destinationHash(notifies);
  if (sa.mobike === undefined || seen === undefined) return stepTo(sa);
  const before = sa.mobike.seen;
  const next: Established = { ...sa, mobike: { ...sa.mobike, seen } };
  if (before === undefined || equal(before, seen)) return stepTo(next);
  return moveTo(next, sa.path, "move", "the NAT in front of us has moved us: the peer is told", ctx);
}

/** <-- HDR, SK {N} to one of ours. Throws `ProtocolError` INVALID_SYNTAX for a COOKIE2 that is not ours: the IKE SA ends. */
export function onMobikeAnswer(
  sa: Established,
  { errand, path, cookie }: MobikeTask,
  { header, path: came, notifies }: Received<"N">,
  ctx: SaContext,
): Step<Established> {
  const { mobike } = sa;
  if (mobike === undefined) throw new Error("an address update without MOBIKE");
  const stale = !samePath(path, sa.path);
  switch (errand) {
    case "announce":
      return stepTo(sa);
    case "prove": {
      const theirs = notifies.find(({ notify }) => notify === "COOKIE2")?.data;
      if (theirs === undefined || !equalConstantTime(theirs, cookie))
        throw new ProtocolError("INVALID_SYNTAX", "the peer does not repeat our COOKIE2 (RFC 4555 section 3.7)");
      if (stale) return stepTo(sa);
      const story = `the peer receives at ${formatSocketAddress(path.remote)}: its children move there`;
      return andThen(moveChildren(sa, ctx), (moved) => stepTo(moved, report(moved, { kind: "story", story })));
    }
    case "move": {
      const refusal = notifies.find(({ notify }) => isErrorNotify(notify));
      if (stale) return stepTo(sa);
      if (refusal !== undefined) {
        const name = notifyName(refusal.notify);
        const detail = `the peer refuses our address ${formatSocketAddress(path.local)} with ${name}`;
        const where = { exchange: "INFORMATIONAL", message: "response" } as const;
        return stepTo<Established>(sa, report(sa, { kind: "failed", code: causeCode(name), detail, ...where }), {
          kind: "renew",
          tunnel: sa.tunnel,
          reason: detail,
        });
      }
      const seen = destinationHash(notifies);
      if (seen === undefined) return stepTo(sa);
      const nat = natVerdict(header, came, notifies);
      return moveChildren({ ...sa, mobike: { ...mobike, seen }, negotiated: { ...sa.negotiated, nat } }, ctx);
    }
  }
}

// --- the peer's requests -------------------------------------------------------------------------------------------

export interface MobikeReply {
  readonly sa: Established;
  readonly payloads: readonly Payload[];
  readonly effects: readonly SaEffect[];
}

/**
 * --> HDR, SK {[N(UPDATE_SA_ADDRESSES)], [N(NAT_DETECTION_*_IP)], [N(ADDITIONAL_*_ADDRESS)], [N(COOKIE2)]}. Throws `ProtocolError`
 * UNACCEPTABLE_ADDRESSES or UNEXPECTED_NAT_DETECTED.
 */
export function answerMobike(
  sa: Established,
  { notifies, path, header }: Received<never, "N">,
  ctx: SaContext,
): MobikeReply {
  const { mobike } = sa;
  if (mobike === undefined) return { sa, payloads: [], effects: [] };
  const cookies = notifies.filter(({ notify }) => notify === "COOKIE2").slice(0, 1);
  const asksForNat = destinationHash(notifies) !== undefined;
  const payloads = notifyAll([...cookies, ...(asksForNat ? detection(sa, path, ctx) : [])]);
  const further = furtherAddresses(notifies);
  const known: Established = further === undefined ? sa : { ...sa, mobike: { ...mobike, further } };
  if (notifies.some(({ notify }) => notify === "UPDATE_SA_ADDRESSES") && !mobike.decides) {
    refuseNat(notifies, path);
    if (!canBeUsed(path.remote.address))
      throw new ProtocolError(
        "UNACCEPTABLE_ADDRESSES",
        `${formatAddress(path.remote.address)} is no address of a peer`,
      );
    const nat = asksForNat ? natVerdict(header, path, notifies) : sa.negotiated.nat;
    const moved = movedBy(known, path, { ...known.negotiated, nat }, ctx);
    return { ...moved, payloads };
  }
  if (mobike.decides && further !== undefined && !sameAddress(path.remote.address, sa.path.remote.address)) {
    const words = `the peer speaks from ${formatSocketAddress(path.remote)} now: the IKE SA moves there`;
    const moved = moveTo(known, path, "move", words, ctx);
    return { ...moved, payloads };
  }
  return { sa: known, payloads, effects: [] };
}

/** The peer has moved itself: its children follow when its new address has proved that it receives. */
function movedBy(
  sa: Established,
  path: Path,
  negotiated: Established["negotiated"],
  ctx: SaContext,
): Pick<MobikeReply, "sa" | "effects"> {
  const { datagramLimit: _, ...window } = sa.window;
  const next: Established = { ...sa, path, negotiated, window };
  if (sameAddress(path.remote.address, sa.path.remote.address)) return moveChildren(next, ctx);
  const open = sa.task?.stage === "sent" ? [transmit(path, sa.task.request)] : [];
  const story = "the peer has moved here: it is asked to prove that it receives there";
  return stepTo<Established>(
    { ...next, wishes: wish(next.wishes, { do: "mobike", errand: "prove", at: ctx.now }) },
    ...open,
    report(next, { kind: "story", story }),
  );
}

// --- where the peer is ---------------------------------------------------------------------------------------------

/** Where a request that is not answered is sent as well: the peer's further addresses (section 3.12). */
export function otherPaths({ mobike, path }: Established): readonly Path[] {
  if (!mobike?.decides) return [];
  return mobike.further
    .filter((address) => address.family === path.local.address.family && !sameAddress(address, path.remote.address))
    .map((address) => ({ ...path, remote: { ...path.remote, address } }));
}

/** An answer came from another of the peer's addresses: that way is open, and is taken. */
export function onAnsweredElsewhere(sa: Established, came: Path, ctx: SaContext): Step<Established> {
  if (!otherPaths(sa).some((path) => samePath(path, came))) return stepTo(sa);
  const words = `the peer answers from ${formatSocketAddress(came.remote)} alone: the IKE SA moves there`;
  return moveTo(sa, came, "move", words, ctx);
}

/** With MOBIKE, packets alone move a peer no further than to another port of its NAT (sections 3.8 and 3.11). */
export function mayFollow({ mobike, path }: Established, came: Path): boolean {
  return mobike === undefined || sameAddress(came.remote.address, path.remote.address);
}

/** The state of an IKE SA that takes the place of another one; the hashes over its SPIs are others. */
export function inheritedMobike({ mobike }: Established): { readonly mobike?: Mobike } {
  return mobike === undefined ? {} : { mobike: { decides: mobike.decides, further: mobike.further } };
}

/** What its predecessor was about to do, or to find out. */
export function inheritedErrands({ mobike, task, wishes }: Established, ctx: SaContext): readonly SaWish[] {
  const kept = wishes.filter((w) => w.do !== "rekeyIke" && w.do !== "probe");
  const asked = mobike?.asking === undefined ? kept : wish(kept, { do: "mobike", errand: "route", at: ctx.now });
  return task?.do === "mobike" ? wish(asked, { do: "mobike", errand: task.errand, at: ctx.now }) : asked;
}

// --- parts ---------------------------------------------------------------------------------------------------------

function detection(sa: Established, path: Path, ctx: SaContext): readonly NotifyPayload[] {
  return natDetection(sa, path, ctx.sight.tunnel(sa.tunnel).encapsulation);
}

function destinationHash(notifies: readonly NotifyPayload[]): Uint8Array | undefined {
  return notifies.find(({ notify }) => notify === "NAT_DETECTION_DESTINATION_IP")?.data;
}

function notifyAll(list: readonly NotifyPayload[]): readonly Payload[] {
  return list.map((one) => payload("N", one));
}

/** Not an address of a whole network or of this host itself. */
export function canBeUsed(address: Address): boolean {
  const first = addressOctets(address)[0]!;
  if (isUnspecified(address)) return false;
  return address.family === 4 ? first !== 127 && first < 224 : first !== 0xff && address.value !== 1n;
}
