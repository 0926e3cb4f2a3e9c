/**
 * Mappings that were offered together: what the peer's answer or refusal means for each (RFC 7296 section 2.9, `decisions.md` 16). A
 * peer that keeps one pair of networks per SA narrows to one of them, or refuses; then each is asked for by itself.
 */
import { causeCode } from "../core/causes.js";
import { mappingsInWords } from "../core/joint.js";
import { oursInWords } from "../core/offer-words.js";
import { phase2Evidence } from "../core/our-values.js";
import { type NotifyType, notifyName } from "../wire/notify-table.js";
import { report, type SaContext, type SaEffect } from "./context.js";
import type { Answered, SelectorOffer } from "./narrowing.js";
import { refusedChild } from "./refused-child.js";
import type { AuthSent, Established } from "./state.js";

/** What an accepted answer leaves to be told, and to be asked for. */
export function afterAnswer(
  sa: AuthSent | Established,
  offer: SelectorOffer,
  { selectors, cut }: Answered,
  ctx: SaContext,
): readonly SaEffect[] {
  const { tunnel } = sa;
  const policy = ctx.sight.tunnel(tunnel);
  const told = cut.map((i) =>
    report(sa, {
      kind: "story",
      story: `the peer narrowed ${mappingsInWords(policy, [i])}: the SA carries a part of it`,
    }),
  );
  const left = offer.mappings.filter((i) => !selectors.mappings.includes(i));
  if (left.length === 0) return told;
  const taken = mappingsInWords(policy, selectors.mappings);
  const rest = mappingsInWords(policy, left);
  if (policy.split === "never") {
    const reason = `the peer took ${taken} into the SA and left this one out; "split: never" asks for no further SA: make them one entry at the peer as well, or write "split: auto"`;
    const story = `the peer took ${taken} into the SA and left out ${rest}, which "split: never" keeps down`;
    return [
      ...told,
      report(sa, { kind: "story", story }),
      ...left.map((mapping) => ({ kind: "mappingLost", tunnel, mapping, cause: "unsplit", reason }) as const),
    ];
  }
  const alone = selectors.mappings.length === 1;
  const habit = alone
    ? `: most likely ${ONE_PAIR}, so each gets an SA of its own`
    : "; they are asked for in another one";
  const story = `the peer took ${taken} into the SA and left out ${rest}${habit}`;
  return [
    ...told,
    report(sa, { kind: "story", story }),
    ...(alone ? [{ kind: "apart", tunnel, mappings: offer.mappings } as const] : []),
  ];
}

const ONE_PAIR = "it keeps one pair of networks per SA (a child, connection or crypto map line for each)";

/** Whether the peer may take these mappings one by one, though it refuses them together. */
export function isRefusedTogether(
  sa: AuthSent | Established,
  notify: NotifyType,
  mappings: readonly number[],
  ctx: SaContext,
): boolean {
  if (mappings.length < 2 || ctx.sight.tunnel(sa.tunnel).split === "never") return false;
  return notify === "TS_UNACCEPTABLE" || notify === "SINGLE_PAIR_REQUIRED";
}

/** The peer refused a child that we asked for, in IKE_AUTH or in CREATE_CHILD_SA. */
export function childRefused(
  sa: AuthSent | Established,
  notify: NotifyType,
  mappings: readonly number[],
  exchange: "IKE_AUTH" | "CREATE_CHILD_SA",
  ctx: SaContext,
  data?: Uint8Array,
): readonly SaEffect[] {
  const { tunnel } = sa;
  const code = notifyName(notify);
  const policy = ctx.sight.tunnel(tunnel);
  const which = mappingsInWords(policy, mappings);
  if (isRefusedTogether(sa, notify, mappings, ctx)) {
    const story = `the peer refuses ${which} in one SA with ${code}: most likely ${ONE_PAIR}; each is asked for by itself now, "split: always" does so from the start`;
    return [report(sa, { kind: "story", story }), { kind: "apart", tunnel, mappings }];
  }
  const detail = `the peer refuses ${refusedWords(code, which, mappings.length)}${
    code === "TS_UNACCEPTABLE" || code === "SINGLE_PAIR_REQUIRED" ? "" : `; ${oursInWords(policy.esp.proposals)}`
  }`;
  const evidence = phase2Evidence(policy, refusedChild(code, exchange, data));
  return [
    report(sa, { kind: "failed", code: causeCode(code), detail, exchange, message: "response", evidence }),
    ...mappings.map((mapping) => ({ kind: "mappingLost", tunnel, mapping, cause: "failed", reason: detail }) as const),
  ];
}

/** What the peer's own setting most likely is. */
function refusedWords(code: string, which: string, count: number): string {
  switch (code) {
    case "TS_UNACCEPTABLE":
      return count === 1
        ? `${which} with TS_UNACCEPTABLE: most likely none of its children or connections has these networks the other way round`
        : `${which} in one SA with TS_UNACCEPTABLE, and "split: never" forbids one for each`;
    case "SINGLE_PAIR_REQUIRED":
      return count === 1
        ? `${which} with SINGLE_PAIR_REQUIRED: most likely it makes an SA for each pair of hosts`
        : `${which} in one SA with SINGLE_PAIR_REQUIRED, and "split: never" forbids one for each`;
    default:
      return `the child for ${which} with ${code}`;
  }
}
