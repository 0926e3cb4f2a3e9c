/** From wish to exchange: the most urgent wish starts as soon as the window is free. */
import { newestChild } from "../core/child.js";
import type { SaContext, Step } from "./context.js";
import { stepTo } from "./context.js";
import { startCreate, startRekey } from "./create-child-sa.js";
import { startMobike } from "./features/mobike.js";
import { startDelete, startProbe } from "./informational.js";
import { reauthenticate, wantsReauthentication } from "./reauthentication.js";
import { isProven } from "./rehearsal.js";
import { startIkeRekey } from "./rekey-ike.js";
import type { Established } from "./state.js";
import { nextWish, type SaWish } from "./wishes.js";

/** Starts what is due, unless an exchange is under way in either direction. */
export function advance(sa: Established, ctx: SaContext): Step<Established> {
  let rest = sa;
  while (rest.task === undefined && rest.answering === undefined) {
    const next = nextWish(rest.wishes, ctx.now);
    if (next === undefined) break;
    const started = start({ ...rest, wishes: rest.wishes.filter((w) => w !== next) }, next, ctx);
    if (started.effects.length > 0) return started;
    rest = started.sa;
  }
  return stepTo(rest);
}

/** Without effects: the wish had no object any more. */
function start(sa: Established, next: SaWish, ctx: SaContext): Step<Established> {
  switch (next.do) {
    case "delete": {
      const more = sa.wishes.filter((w) => w.do === "delete" && w.at <= ctx.now) as (typeof next)[];
      return startDelete(
        { ...sa, wishes: sa.wishes.filter((w) => !more.includes(w as typeof next)) },
        [next, ...more],
        ctx,
      );
    }
    case "rekeyIke":
      return !next.inPlace && wantsReauthentication(sa, ctx) ? reauthenticate(sa, ctx) : startIkeRekey(sa, ctx);
    case "rekeyChild": {
      const child = sa.children.get(next.child);
      if (child?.state !== "live") return stepTo(sa);
      if (next.rehearsal) return isProven(sa) ? stepTo(sa) : startRekey(sa, child, ctx, { rehearsal: true });
      return startRekey(sa, child, ctx);
    }
    case "createChild":
      return carries(sa, next.mapping) || ctx.sight.carried(sa.tunnel, next.mapping)
        ? stepTo(sa)
        : startCreate(
            sa,
            ctx.sight.joint(sa.tunnel, next.mapping, (other) => carries(sa, other)),
            ctx,
          );
    case "mobike":
      return startMobike(sa, next.errand, ctx);
    case "probe":
      return startProbe(sa, ctx);
  }
}

/** What the endpoint sees is older than this step: a child that it has just made counts as well. */
function carries({ children }: Established, mapping: number): boolean {
  return newestChild(children, "live", mapping) !== undefined;
}
