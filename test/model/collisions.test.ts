/**
 * Every collision of RFC 7296 sections 2.8.1, 2.8.2 and 2.25: both ends begin at any moment, every message may come at any moment
 * and in any order or be lost, and every interleaving of all that is looked at. MODEL_LOSSES, MODEL_DELAYS and MODEL_INVERSIONS set
 * other bounds.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Event } from "../../ike/core/types.js";
import { read } from "../repo/tree.js";
import { explore } from "./explore.js";
import { agreement, nothing } from "./judge.js";
import { type PolicyOptions, policies } from "./policies.js";
import { connected, type Foreign, type NonceOrder, type Rules, type Side, type Trigger } from "./world.js";

const { CAUSEWAY_TIER, MODEL_LOSSES, MODEL_DELAYS, MODEL_INVERSIONS } = process.env;
const full = CAUSEWAY_TIER === "full";
/** Messages lost; timers that run out while a message is under way; timers of one side that overtake an earlier one of the other. */
const BOUNDS = {
  losses: Number(MODEL_LOSSES ?? 2),
  delays: Number(MODEL_DELAYS ?? (full ? 2 : 1)),
  inversions: Number(MODEL_INVERSIONS ?? (full ? 1 : 0)),
};

const wish = (what: "rekeyChildren" | "rekeyIke" | "down") => (): Event => ({
  kind: "wish",
  wish: { do: what, tunnel: "t" },
});
/** A child comes to its end: it is deleted, and its mapping is asked for anew. */
const endChild = ({ plane }: Side): Event | undefined => {
  const [child] = plane.children.keys();
  return child === undefined ? undefined : { kind: "limit", child, limit: "hard" };
};
const HAPPENINGS = {
  "child rekey": wish("rekeyChildren"),
  "IKE rekey": wish("rekeyIke"),
  "child delete": endChild,
  "IKE delete": wish("down"),
  /** Without REKEY_SA, beside the one that there is. */
  "second child": (): Foreign => ({ kind: "second child" }),
};
type Happening = keyof typeof HAPPENINGS;

const trigger = (side: 0 | 1, what: Happening): Trigger => ({
  name: `${"AB"[side]}: ${what}`,
  side,
  event: HAPPENINGS[what],
});

/** Which of the four nonces is the lowest. */
const ANY_ORDER: readonly NonceOrder[] = ([0, 1] as const).flatMap((lower) =>
  [true, false].map((rising) => ({ lower, rising })),
);
/** Where no nonces are compared. */
const ONE_ORDER: readonly NonceOrder[] = [{ lower: 0, rising: true }];

interface Collision {
  /** What happens to A, and to B. */
  readonly a: readonly Happening[];
  readonly b: readonly Happening[];
  readonly orders: readonly NonceOrder[];
  readonly options?: PolicyOptions;
  /** Key exchange takes its time. */
  readonly slow?: boolean;
  readonly bounds?: Partial<typeof BOUNDS>;
}

const between = (a: Happening, b: Happening, orders = ONE_ORDER, more: Partial<Collision> = {}): Collision => ({
  a: [a],
  b: [b],
  orders,
  ...more,
});

/** With PFS, and key exchanges whose results come at any moment. */
const SLOWLY: Partial<Collision> = {
  options: { pfs: true },
  slow: true,
  bounds: { losses: full ? 1 : 0, inversions: full ? 1 : 0 },
};

/** For three exchanges at once. */
const CALM = { losses: 0, delays: 1, inversions: 0 };

const COLLISIONS: readonly Collision[] = [
  between("child rekey", "child rekey", ANY_ORDER, { bounds: { inversions: 1 } }),
  between("IKE rekey", "IKE rekey", ANY_ORDER),
  between("child rekey", "child delete"),
  between("child delete", "child rekey"),
  between("child delete", "child delete"),
  between("child rekey", "IKE rekey"),
  between("IKE rekey", "child rekey"),
  between("IKE rekey", "child delete"),
  between("child delete", "IKE rekey"),
  between("IKE rekey", "IKE delete"),
  between("IKE delete", "IKE rekey"),
  between("child rekey", "IKE delete"),
  between("IKE delete", "child rekey"),
  between("child delete", "IKE delete"),
  between("IKE delete", "child delete"),
  between("IKE delete", "IKE delete"),
  between("second child", "second child"),
  between("second child", "child rekey"),
  between("second child", "child delete"),
  between("second child", "IKE rekey"),
  between("child rekey", "child rekey", ANY_ORDER, SLOWLY),
  between("IKE rekey", "IKE rekey", ANY_ORDER, SLOWLY),
  between("child rekey", "IKE rekey", ONE_ORDER, SLOWLY),
  between("IKE rekey", "child rekey", ONE_ORDER, SLOWLY),
  between("child rekey", "child delete", ONE_ORDER, SLOWLY),
  between("IKE rekey", "child delete", ONE_ORDER, SLOWLY),
  between("child delete", "IKE rekey", ONE_ORDER, SLOWLY),
  between("second child", "second child", ONE_ORDER, SLOWLY),
  between("second child", "child rekey", ONE_ORDER, SLOWLY),
  ...(full
    ? ([
        { a: ["child rekey", "IKE rekey"], b: ["child rekey"], orders: ANY_ORDER, bounds: CALM },
        { a: ["child rekey", "IKE rekey"], b: ["IKE rekey"], orders: ANY_ORDER, bounds: CALM },
        { a: ["IKE rekey", "child delete"], b: ["IKE rekey"], orders: ANY_ORDER, bounds: CALM },
      ] satisfies Collision[])
    : []),
];

let states = 0;
for (const { a, b, orders, options, bounds, slow = false } of COLLISIONS) {
  const once = a.includes("IKE delete") || b.includes("IKE delete");
  const end = once ? "nothing is left at either" : "both have the same one IKE SA and child";
  const title = `${a.join(" and ")} at one end, ${b.join(" and ")} at the other${slow ? ", key exchanges take their time" : ""}: ${end}`;
  test(title, (t) => {
    for (const nonces of orders) {
      const triggers = [...a.map((what) => trigger(0, what)), ...b.map((what) => trigger(1, what))];
      const rules: Rules = { policies: policies({ once, ...options }), slow, nonces, triggers, ...BOUNDS, ...bounds };
      const found = explore(connected(rules), rules, once ? nothing : agreement);
      assert(found.ends > 0);
      states += found.states;
      t.diagnostic(`${found.states} states, ${found.actions} transitions, ${found.ends} ends`);
    }
  });
}

const isUsual = [CAUSEWAY_TIER ?? "ci", MODEL_LOSSES, MODEL_DELAYS, MODEL_INVERSIONS].join() === "ci,,,";
if (isUsual)
  test("as many states as README.md says were looked at", () => {
    const [, claimed] = /more than ([\d,]+) states/.exec(read("README.md")) ?? [];
    assert(states > Number(claimed?.replaceAll(",", "")), `${states} states, README.md says ${claimed}`);
  });

after(() => console.log(`${states} states of two ends whose exchanges collide, every one looked at`));
