/**
 * Informational exchanges behind phase 1, RFC 2409 section 5.7: Deletes, errors, liveness (RFC 3706). Whatever gets here has a HASH(1)
 * that holds. And the exchanges that are refused: mode-config and XAUTH, new group mode.
 */
import { concat, equal } from "../../crypto/bytes.js";
import { type CauseCode, causeCode } from "../core/causes.js";
import { espSpiFrom } from "../core/child.js";
import { ProtocolError } from "../core/errors.js";
import type { SaidAll } from "../core/evidence.js";
import { phase2Evidence } from "../core/our-values.js";
import { softLife } from "../core/timers.js";
import { spiOctets } from "../wire/header.js";
import type { DeletePayloadV1 } from "../wire/payloads/v1/delete.js";
import type { NotifyPayloadV1 } from "../wire/payloads/v1/notify.js";
import { isErrorNotifyV1, notifyNameV1 } from "../wire/v1-notify-table.js";
import { childGone, liveOf, withChild, withoutChild } from "./child.js";
import { andThen, report, type SaContext, type Step, stepTo } from "./context.js";
import { withPhase1 } from "./exchange.js";
import { responderLifetimeOf } from "./lifetimes.js";
import { onProbe, onProbeAnswer } from "./liveness.js";
import { dropPhase1 } from "./peer.js";
import { isOurs, type Quick } from "./quick.js";
import { quickFailed } from "./quick-end.js";
import { type Place, type Received, row } from "./row.js";
import type { Phase1, V1Peer } from "./state.js";
import { lifetimeStory, phase1Lifetimes } from "./terms.js";

/** --> HDR*, HASH(1), [N], [D] */
function onInformational(
  { peer, phase1 }: Place<undefined>,
  { notifies, deletes, path }: Received<never, "N" | "D">,
  ctx: SaContext,
): Step<V1Peer> {
  let step: Step<V1Peer> = stepTo(peer);
  for (const notify of notifies) step = andThen(step, (now) => onNotify(now, phase1, notify, path, ctx));
  for (const one of deletes) step = andThen(step, (now) => onDelete(now, one, ctx));
  return step;
}

function onNotify(
  peer: V1Peer,
  phase1: Place["phase1"],
  { notify, protocol, spi, data }: NotifyPayloadV1,
  path: Place["phase1"]["path"],
  ctx: SaContext,
): Step<V1Peer> {
  switch (notify) {
    case "R-U-THERE":
      return onProbe(peer, phase1, data, path, ctx);
    case "R-U-THERE-ACK":
      return onProbeAnswer(peer, data, path, ctx);
    case "RESPONDER-LIFETIME":
      // Of a child it is part of quick mode.
      return protocol === "ISAKMP" ? onLifetime(peer, phase1, data, ctx) : stepTo(peer);
    case "INITIAL-CONTACT":
    case "CONNECTED":
    case "REPLAY-STATUS":
      // Each has had its effect where it belongs (phase 1, quick mode), or needs none.
      return stepTo(peer);
  }
  if (!isErrorNotifyV1(notify)) return stepTo(peer);
  const name = notifyNameV1(notify);
  const quick = meant(peer, spi);
  const words = `the peer refuses with ${name}`;
  if (quick !== undefined) {
    const code = causeCode(name);
    const detail = `the quick mode failed: ${words}`;
    const evidence = phase2Evidence(ctx.sight.tunnel(peer.tunnel), refusedQuick(code));
    return quickFailed(peer, quick, { code, detail, message: "response", evidence }, ctx);
  }
  return stepTo(peer, report(peer, { kind: "story", story: `${words}, and nothing of ours is under way` }));
}

/** The peer ends phase 1 sooner than we offered: so do we. A lifetime that is no shorter says nothing new. */
function onLifetime(peer: V1Peer, phase1: Phase1, data: Uint8Array, ctx: SaContext): Step<V1Peer> {
  const { seconds, kilobytes } = responderLifetimeOf(1, data);
  const expiresAt = seconds === undefined ? phase1.expiresAt : phase1.establishedAt + seconds * 1000;
  const volumeOctets = kilobytes === undefined ? 0 : kilobytes * 1024;
  const isLess = expiresAt < phase1.expiresAt;
  const isSmaller = volumeOctets > 0 && (phase1.volumeOctets === 0 || volumeOctets < phase1.volumeOctets);
  if (phase1.role !== "initiator" || (!isLess && !isSmaller)) return stepTo(peer);
  const { rekeyMarginSeconds } = ctx.sight.tunnel(peer.tunnel).ike;
  const shortened: Phase1 = {
    ...phase1,
    ...(isSmaller && { volumeOctets }),
    ...(isLess && {
      expiresAt: Math.max(expiresAt, ctx.now),
      rekeyAt: phase1.establishedAt + softLife(seconds!, rekeyMarginSeconds, ctx.random),
    }),
  };
  const story = lifetimeStory(
    { ...(seconds && { seconds }), ...(kilobytes && { kilobytes }) },
    phase1Lifetimes(ctx.sight.tunnel(peer.tunnel)),
  );
  return stepTo(withPhase1(peer, shortened), ...(story === undefined ? [] : [report(peer, { kind: "story", story })]));
}

/** What the refusal of a quick mode says, and what it leaves open. */
function refusedQuick(code: CauseCode): SaidAll {
  switch (code) {
    case "TS_UNACCEPTABLE":
      return { selectors: "different" };
    case "NO_PROPOSAL_CHOSEN":
      return {
        protocol: "suspect",
        encapsulation: "suspect",
        encryption: "suspect",
        integrity: "suspect",
        pfs: "suspect",
        esn: "suspect",
        selectors: "suspect",
      };
    default:
      return {};
  }
}

/** Our quick mode that an error is about: the one with this SPI, else the one that is under way. */
function meant({ quicks }: V1Peer, spi: Uint8Array): Extract<Quick, { stage: "sent" }> | undefined {
  for (const quick of quicks) {
    if (quick.stage !== "sent") continue;
    if (spi.length !== 4 || espSpiFrom(spi) === quick.spiIn || espSpiFrom(spi) === 0) return quick;
  }
  return quicks.filter(isOurs).find((quick) => quick.stage === "sent");
}

function onDelete(peer: V1Peer, { protocol, spis }: DeletePayloadV1, ctx: SaContext): Step<V1Peer> {
  let step: Step<V1Peer> = stepTo(peer);
  for (const spi of spis) {
    if (protocol === "ESP" && spi.length === 4) step = andThen(step, (now) => onChildDelete(now, espSpiFrom(spi)));
    else if (protocol === "ISAKMP") step = andThen(step, (now) => onPhase1Delete(now, spi, ctx));
  }
  return step;
}

/** The peer names its own inbound SPI: what we send on. Its half of the pair is of no use any more either. */
function onChildDelete(peer: V1Peer, spi: number): Step<V1Peer> {
  for (const child of peer.children.values()) {
    if (child.pair.spiOut !== spi) continue;
    const reason = child.state === "live" ? "the peer deleted this child" : "replaced by a newer child";
    const next = withoutChild(peer, child.id);
    const heir = child.pair.mappings.map((mapping) => liveOf(next, mapping)).find((one) => one?.replaces === child.id);
    const gone = childGone(peer, child, "peer", reason);
    if (heir?.useAt === undefined) return stepTo(next, ...gone);
    const { useAt: _, ...used } = heir;
    return stepTo(withChild(next, used), { kind: "useChild", id: heir.id }, ...gone);
  }
  return stepTo(peer);
}

/** Children stay: they are the peer's, not the phase 1 SA's (`decisions.md` 10). */
function onPhase1Delete(peer: V1Peer, cookies: Uint8Array, ctx: SaContext): Step<V1Peer> {
  const meant = peer.phase1s.find(({ initiatorSpi, responderSpi }) =>
    equal(cookies, concat(spiOctets(initiatorSpi), spiOctets(responderSpi))),
  );
  return meant === undefined ? stepTo(peer) : dropPhase1(peer, meant, "the peer deleted it", ctx);
}

/** Mode-config and XAUTH: this gateway neither gives nor takes addresses, and has no user to log in. */
function onTransaction(): Step<V1Peer> {
  throw new ProtocolError(
    "UNSUPPORTED_CRITICAL_PAYLOAD",
    "the peer wants mode-config or XAUTH, which are not supported",
  );
}

function onNewGroup(): Step<V1Peer> {
  throw new ProtocolError("UNSUPPORTED_CRITICAL_PAYLOAD", "the peer wants new group mode, which is not supported");
}

export const INFORMATIONAL_ROWS = [
  row({
    phase: "peer",
    exchange: "INFORMATIONAL",
    story: "the peer tells or asks something: a Delete, an error, or whether we are alive",
    routine: true,
    needs: [],
    may: ["N", "D"],
    run: onInformational,
  }),
  row({
    phase: "peer",
    exchange: "TRANSACTION",
    story: "the peer wants mode-config or XAUTH; it is refused",
    needs: [],
    may: [],
    run: onTransaction,
  }),
  row({
    phase: "peer",
    exchange: "NEW_GROUP_MODE",
    story: "the peer wants new group mode; it is refused",
    needs: [],
    may: [],
    run: onNewGroup,
  }),
];
