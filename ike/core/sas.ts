/**
 * What the endpoint knows and asks of an IKE SA, whatever its version: the rest of `ike/core` sees the versions through this file.
 * A "holder" is what children belong to: in IKEv2 the established IKE SA.
 */
import { ikeSuiteName } from "../../crypto/registry/proposal.js";
import { formatSocketAddress, type Path } from "../../esp/address.js";
import type { ChildId } from "../../esp/sa.js";
import { initiate as initiateV2 } from "../v2/ike-sa-init.js";
import { follow } from "../v2/life.js";
import { type Established, establishedOf, type IkeSa } from "../v2/state.js";
import type { Child } from "./child.js";
import { type IkeKey, type SaContext, type Stepped, spiHex } from "./context.js";
import { formatIdentity } from "./identity.js";
import { natWords } from "./nat.js";
import type { TunnelPolicy } from "./policy.js";
import type { IkeView } from "./view.js";

export { tunnelOf } from "../v2/context.js";
export { onAlive, onChildRefused, onFirstInbound, onLimit } from "../v2/life.js";
export { isHalfOpen, isHandshake } from "../v2/state.js";
export {
  drop,
  losesTo,
  onAnswer,
  onTick,
  saDeadline,
  wishClose,
  wishMapping,
  wishRekeyChildren,
  wishRekeyIke,
} from "../v2/step.js";

export type AnySa = IkeSa;
export type Holder = Established;
export type AnyStep<Sa extends AnySa | undefined = AnySa | undefined> = Stepped<Sa, AnySa>;

export function isHolder(sa: AnySa): sa is Holder {
  return sa.phase === "established";
}

/** The holders of a tunnel, the newest last. */
export function holdersOf(sas: ReadonlyMap<IkeKey, AnySa>, tunnel: string): readonly Holder[] {
  return establishedOf(sas, tunnel);
}

/** It is over, and only answers what still comes: nobody waits for it. */
export function isOver(sa: AnySa): boolean {
  return sa.phase === "lingering";
}

/** The first message to a peer. */
export function initiate(policy: TunnelPolicy, path: Path, ctx: SaContext): AnyStep<AnySa> {
  return initiateV2(policy, path, ctx);
}

/** An authenticated UDP-encapsulated packet came along another path. */
export function onMoved(sa: Holder, path: Path, ctx: SaContext): AnyStep {
  return follow({ ...sa, lastAlive: ctx.now }, path, ctx);
}

/** Whether a child for the mapping, a further one or in the place of an old one, is wished for or on its way. */
export function isAskedFor({ task, wishes }: Holder, mapping: number): boolean {
  if (task?.do === "child" && task.offer.selectors.mappings.includes(mapping)) return true;
  return wishes.some((w) => w.do === "createChild" && w.mapping === mapping);
}

/** Whether the child is being replaced, or has been. */
export function isRenewing({ task }: Holder, { id, state }: Child): boolean {
  return (
    state === "old" || (task?.do === "child" && task.offer.purpose.do === "rekey" && task.offer.purpose.child === id)
  );
}

/** Whether an inbound SPI is taken, by a child or by one that is on its way. */
export function usesEspSpi(sa: AnySa, spi: number): boolean {
  if (sa.phase === "authSent" && sa.child.spiIn === spi) return true;
  if (sa.phase !== "established") return false;
  if (sa.task?.do === "child" && sa.task.offer.spiIn === spi) return true;
  if (sa.answering?.do === "child" && sa.answering.plan.spiIn === spi) return true;
  for (const { pair } of sa.children.values()) if (pair.spiIn === spi) return true;
  return false;
}

export function holdsAny({ children }: Holder, ids: ReadonlySet<ChildId>): boolean {
  for (const id of children.keys()) if (ids.has(id)) return true;
  return false;
}

/** What a handshake is doing. */
export function handshakeWords(sa: AnySa): string {
  switch (sa.phase) {
    case "initKeying":
    case "initSent":
      return `calling ${formatSocketAddress(sa.path.remote)}`;
    case "initAnswered":
    case "pskAwaited":
    case "authSent":
      return "the peer has answered; authenticating";
    default:
      return "the peer calls; authenticating";
  }
}

/** The IKE SA as `status` shows it. */
export function ikeView(sa: Holder): IkeView {
  const { initiatorSpi, responderSpi, path, negotiated } = sa;
  return {
    version: 2,
    role: sa.role,
    local: formatSocketAddress(path.local),
    remote: formatSocketAddress(path.remote),
    localId: formatIdentity(sa.localId),
    peerId: formatIdentity(sa.peerId),
    spiI: spiHex(initiatorSpi),
    spiR: spiHex(responderSpi),
    proposal: ikeSuiteName(negotiated.suite),
    nat: natWords(negotiated.nat),
    establishedAt: sa.establishedAt,
    rekeyAt: sa.rekeyAt ?? sa.expiresAt,
  };
}
