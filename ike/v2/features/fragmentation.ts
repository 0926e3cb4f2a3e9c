/**
 * Fragmentation of IKE messages, RFC 7383: agreed on by a notification in IKE_SA_INIT, and used from IKE_AUTH on for every
 * message that is too long for one IP datagram of a modest size.
 *
 * What gets no answer is cut smaller (section 2.5.2). The sizes are the two that no path has to fragment: 1280 octets, the
 * least MTU of IPv6, and for IPv4 576, which every host takes (RFC 791).
 */
import type { SealerKeys } from "../../../crypto/registry/row.js";
import type { Path } from "../../../esp/address.js";
import type { TunnelPolicy } from "../../core/policy.js";
import { sentAgain, transmit } from "../../core/retransmit.js";
import { type MessageContent, type OpenedMessage, sealContent, sealedBytes } from "../../wire/encrypted.js";
import {
  fragmentPlace,
  isComplete,
  isNews,
  openFragment,
  reassemble,
  sealFragments,
  withFragment,
} from "../../wire/fragment.js";
import { MAX_REASSEMBLED_BYTES, MAX_UNPROVEN_BYTES } from "../../wire/limits.js";
import type { Message } from "../../wire/message.js";
import { type NotifyPayload, notification } from "../../wire/payloads/notify.js";
import { report, type SaContext, type SaEffect, type Step, stepTo } from "../context.js";
import { inboundKeys } from "../keys.js";
import type { KeyedSa, OpenRequest, SealedMessage, Window } from "../state.js";

// --- IKE_SA_INIT ---------------------------------------------------------------------------------------------------

/** Announced in IKE_SA_INIT, as responder when one of the tunnels that the peer may be wants it. */
export function announceFragmentation(tunnels: readonly TunnelPolicy[]): readonly NotifyPayload[] {
  return tunnels.some(({ ike }) => ike.fragmentation === "auto") ? [notification("IKEV2_FRAGMENTATION_SUPPORTED")] : [];
}

/** What the peer's IKE_SA_INIT says of it, where we say it as well. */
export function agreedFragmentation(
  tunnels: readonly TunnelPolicy[],
  notifies: readonly NotifyPayload[],
): { readonly fragmentation?: true } {
  const theirs = notifies.some(({ notify }) => notify === "IKEV2_FRAGMENTATION_SUPPORTED");
  return theirs && announceFragmentation(tunnels).length > 0 ? { fragmentation: true } : {};
}

// --- sending -------------------------------------------------------------------------------------------------------

/** Octets of IP datagrams, the longest first. */
const DATAGRAM_SIZES = { 4: [1280, 576], 6: [1280] } as const;
const IP_HEADER_BYTES = { 4: 20, 6: 40 } as const;
/** UDP, and the non-ESP marker of port 4500 (RFC 3948 section 2.2), whether it is there or not. */
const UDP_BYTES = 8 + 4;

/** A request is cut smaller when it has had no answer for this long: it has been sent three times by then. */
const SEARCH_AFTER = 3_000;
/** Likewise for an answer, when the request for it has come again this often. */
const SEARCH_AFTER_REPEATS = 3;

export interface Sealed {
  readonly message: SealedMessage;
  /** How many counters it took. */
  readonly used: number;
}

/** Seals in one datagram where it fits, in fragments otherwise. */
export function sealToFit(sa: KeyedSa, content: MessageContent, ctx: SaContext): Sealed {
  const { suite, fragmentation } = sa.negotiated;
  const { keys, role, window } = sa;
  if (!fragmentation || !fragments(sa, ctx))
    return { message: { bytes: sealContent(content, suite, keys[role], window.sealed, ctx.random) }, used: 1 };
  const kept = messageBytes(sa, content) > messageLimit(sa.path, leastSize(sa.path)) ? { content } : {};
  const limit = messageLimit(sa.path, datagramLimit(sa));
  if (messageBytes(sa, content) <= limit)
    return { message: { bytes: sealContent(content, suite, keys[role], window.sealed, ctx.random), ...kept }, used: 1 };
  const [bytes, ...rest] = sealFragments(content, limit, suite, keys[role], window.sealed, ctx.random);
  return { message: { bytes: bytes!, rest, ...kept }, used: 1 + rest.length };
}

/** Our request once more: the same octets, or the message cut smaller when it seems too long for the path. */
export function repeatRequest<Sa extends KeyedSa>(
  sa: Sa,
  request: OpenRequest,
  ctx: SaContext,
): { readonly sa: Sa; readonly request: OpenRequest; readonly effects: readonly SaEffect[] } {
  const again = sentAgain(request, ctx.now);
  const smaller = ctx.now - request.sentAt >= SEARCH_AFTER ? cutSmaller(sa, request, ctx) : undefined;
  if (smaller === undefined) return { sa, request: again, effects: [transmit(sa.path, request)] };
  const { content: _, ...timing } = again;
  return {
    sa: smaller.sa,
    request: { ...timing, ...smaller.message },
    effects: [smaller.told, transmit(sa.path, smaller.message)],
  };
}

/** The last answer once more; the request for it came along `path`. */
export function repeatReply(sa: KeyedSa, path: Path, ctx: SaContext): Step<KeyedSa> {
  const { reply } = sa.window;
  if (reply === undefined) return stepTo(sa);
  if (reply.content === undefined) return stepTo(sa, transmit(path, reply));
  const repeats = reply.repeats + 1;
  const smaller = repeats >= SEARCH_AFTER_REPEATS ? cutSmaller(sa, reply, ctx) : undefined;
  if (smaller !== undefined) return withReply(smaller, reply.request, path);
  return stepTo({ ...sa, window: { ...sa.window, reply: { ...reply, repeats } } }, transmit(path, reply));
}

interface Cut<Sa extends KeyedSa> {
  readonly sa: Sa;
  readonly message: SealedMessage;
  readonly told: SaEffect;
}

function withReply({ sa, message, told }: Cut<KeyedSa>, request: Uint8Array, path: Path): Step<KeyedSa> {
  const reply = { ...message, request, repeats: 0 };
  return stepTo({ ...sa, window: { ...sa.window, reply } }, told, transmit(path, message));
}

/** The next smaller size from now on, and the message in it; undefined where there is none. */
function cutSmaller<Sa extends KeyedSa>(sa: Sa, { content }: SealedMessage, ctx: SaContext): Cut<Sa> | undefined {
  const size = DATAGRAM_SIZES[sa.path.local.address.family].find((octets) => octets < datagramLimit(sa));
  if (content === undefined || size === undefined) return undefined;
  return cutTo(sa, content, size, ctx);
}

function cutTo<Sa extends KeyedSa>(sa: Sa, content: MessageContent, size: number, ctx: SaContext): Cut<Sa> {
  const limited = { ...sa, window: { ...sa.window, datagramLimit: size } };
  const { message, used } = sealToFit(limited, content, ctx);
  const { length } = content.octets;
  return {
    sa: { ...limited, window: { ...limited.window, sealed: limited.window.sealed + used } },
    message,
    told: report(sa, { kind: "story", story: `message of ${length} octets lost, fragmenting at ${size} octets` }),
  };
}

/** A tunnel may say no after it was announced: another one at the same address wants it. */
function fragments(sa: KeyedSa, ctx: SaContext): boolean {
  const tunnel = "tunnel" in sa ? sa.tunnel : undefined;
  return tunnel === undefined || ctx.sight.tunnel(tunnel).ike.fragmentation === "auto";
}

function datagramLimit({ window, path }: KeyedSa): number {
  return window.datagramLimit ?? DATAGRAM_SIZES[path.local.address.family][0];
}

function leastSize({ local }: Path): number {
  return DATAGRAM_SIZES[local.address.family].at(-1)!;
}

/** Octets of IKE in an IP datagram of this size. */
function messageLimit({ local }: Path, datagram: number): number {
  return datagram - IP_HEADER_BYTES[local.address.family] - UDP_BYTES;
}

/** Octets of the message in one piece. */
function messageBytes({ negotiated }: KeyedSa, { octets }: MessageContent): number {
  return sealedBytes(negotiated.suite, 0, octets.length);
}

// --- receiving -----------------------------------------------------------------------------------------------------

export type Collected =
  | { readonly is: "nothing"; readonly code: string; readonly detail: string }
  | { readonly is: "part"; readonly window: Window }
  /** `first`: the datagram of the first fragment, which stands for all of them. `open` throws what a decoder throws. */
  | { readonly is: "whole"; readonly window: Window; readonly first: Uint8Array; readonly open: () => OpenedMessage };

/** One fragment: verified, and only then kept (section 2.6). Throws `ProtocolError` for one that breaks the format. */
export function collect(sa: KeyedSa, message: Message, bytes: Uint8Array): Collected {
  if (!sa.negotiated.fragmentation) return nothing("fragment", "fragments were not agreed on");
  const { header } = message;
  const place = fragmentPlace(bytes, message)!;
  const { partialRequest, partialResponse, ...window } = sa.window;
  const known = header.response ? partialResponse : partialRequest;
  const other = header.response ? partialRequest && { partialRequest } : partialResponse && { partialResponse };
  if (!isNews(known, header.messageId, place))
    return nothing("repeated", `fragment ${place.number} of ${place.total}, which is of no use`);
  const part = openPartOf(sa, message, bytes);
  if (part === undefined) return nothing("integrity", "its integrity check failed");
  const most = isProven(sa) ? MAX_REASSEMBLED_BYTES : MAX_UNPROVEN_BYTES;
  const so = withFragment(known, message, place, part, bytes, most);
  if (!isComplete(so))
    return {
      is: "part",
      window: { ...window, ...other, ...(header.response ? { partialResponse: so } : { partialRequest: so }) },
    };
  const { datagram } = so.first!;
  return {
    is: "whole",
    window: { ...window, ...other, ...limitedBy(sa, header.response, datagram) },
    first: datagram,
    open: () => reassemble(header, so),
  };
}

/** What has been answered comes again, cut anew: the answer once more if it is authentic, no longer than the peer's datagrams. */
export function repeatForFragment(
  sa: KeyedSa,
  message: Message,
  bytes: Uint8Array,
  path: Path,
  ctx: SaContext,
): Step<KeyedSa> | undefined {
  const { reply } = sa.window;
  if (!sa.negotiated.fragmentation || reply === undefined) return undefined;
  if (fragmentPlace(bytes, message)?.number !== 1 || openPartOf(sa, message, bytes) === undefined) return undefined;
  const size = sizeOf(path, bytes);
  if (reply.content === undefined || size >= datagramLimit(sa))
    return stepTo({ ...sa, window: { ...sa.window, reply: { ...reply, request: bytes } } }, transmit(path, reply));
  return withReply(cutTo(sa, reply.content, size, ctx), bytes, path);
}

/** The peer's fragments are short because longer ones were lost: so would ours be, on the same path. */
function limitedBy(sa: KeyedSa, response: boolean, datagram: Uint8Array): Pick<Window, "datagramLimit"> {
  const size = sizeOf(sa.path, datagram);
  return response || size >= datagramLimit(sa) ? {} : { datagramLimit: size };
}

/** Octets of the IP datagram that brought this message, but never less than what every path takes. */
function sizeOf(path: Path, { length }: Uint8Array): number {
  return Math.max(leastSize(path), length + IP_HEADER_BYTES[path.local.address.family] + UDP_BYTES);
}

function openPartOf({ negotiated, keys, role }: KeyedSa, message: Message, bytes: Uint8Array): Uint8Array | undefined {
  return openFragment(bytes, message, negotiated.suite, inboundKeys(keys, role) satisfies SealerKeys);
}

/** Whether the peer has proved who it is. */
function isProven({ phase }: KeyedSa): boolean {
  return phase !== "keyed" && phase !== "authChecking" && phase !== "lingering";
}

function nothing(code: string, detail: string): Collected {
  return { is: "nothing", code, detail };
}
