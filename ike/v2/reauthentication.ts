/**
 * Reauthentication, RFC 7296 section 2.8.3: a new IKE SA from the beginning, made before the old one is broken. The endpoint
 * makes it, and moves the mappings; the old one is deleted when its children are not needed any more.
 */
import { type SaContext, type Step, stepTo } from "./context.js";
import type { Established } from "./state.js";
import { wish } from "./wishes.js";

/** Only who calls the peer can do it: the other side rekeys. */
export function wantsReauthentication({ tunnel }: Established, ctx: SaContext): boolean {
  const { ike, mappings } = ctx.sight.tunnel(tunnel);
  return ike.reauth === true && mappings.some((_, mapping) => ctx.sight.wanted(tunnel, mapping));
}

/** When half of the time that is left has passed and this IKE SA is still there, it is rekeyed after all. */
export function reauthenticate(sa: Established, ctx: SaContext): Step<Established> {
  const at = ctx.now + (sa.expiresAt - ctx.now) / 2;
  return stepTo(
    { ...sa, wishes: wish(sa.wishes, { do: "rekeyIke", at, inPlace: true }) },
    { kind: "renew", tunnel: sa.tunnel, reason: "its time to be authenticated anew has come" },
  );
}
