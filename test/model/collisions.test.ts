import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "../../ike/core/types.js";
import { explore } from "./explore.js";
import { agreement, nothing } from "./judge.js";
import { policies } from "./policies.js";
import { connected, type NonceOrder, type Rules, type Side, type Trigger } from "./world.js";

const { CAUSEWAY_TIER, MODEL_LOSSES, MODEL_DELAYS, MODEL_INVERSIONS } = process.env;
const full = CAUSEWAY_TIER === "full";
const BOUNDS = {
  losses: Number(MODEL_LOSSES ?? 2),
  delays: Number(MODEL_DELAYS ?? (full ? 5 : 3)),
  inversions: Number(MODEL_INVERSIONS ?? (full ? 2 : 1)),
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
const WHAT = {
  "child rekey": wish("rekeyChildren"),
  "IKE rekey": wish("rekeyIke"),
  "child delete": endChild,
  "IKE delete": wish("down"),
};
type What = keyof typeof WHAT;

const trigger = (side: 0 | 1, what: What): Trigger => ({ name: `${"AB"[side]}: ${what}`, side, event: WHAT[what] });

const ALL_ORDERS: readonly NonceOrder[] = ([0, 1] as const).flatMap((lower) =>
  [true, false].map((rising) => ({ lower, rising })),
);

const COLLISIONS: readonly (readonly [What, What, readonly NonceOrder[]])[] = [
  ["child rekey", "child rekey", ALL_ORDERS],
  ["IKE rekey", "IKE rekey", ALL_ORDERS],
  ["child rekey", "child delete", ALL_ORDERS.slice(0, 1)],
  ["child delete", "child rekey", ALL_ORDERS.slice(0, 1)],
  ["child delete", "child delete", ALL_ORDERS.slice(0, 1)],
  ["child rekey", "IKE rekey", ALL_ORDERS.slice(0, 1)],
  ["IKE rekey", "child rekey", ALL_ORDERS.slice(0, 1)],
  ["IKE rekey", "child delete", ALL_ORDERS.slice(0, 1)],
  ["child delete", "IKE rekey", ALL_ORDERS.slice(0, 1)],
  ["IKE rekey", "IKE delete", ALL_ORDERS.slice(0, 1)],
  ["IKE delete", "IKE rekey", ALL_ORDERS.slice(0, 1)],
  ["child rekey", "IKE delete", ALL_ORDERS.slice(0, 1)],
  ["IKE delete", "IKE delete", ALL_ORDERS.slice(0, 1)],
];

let total = 0;
for (const [mine, theirs, orders] of COLLISIONS)
  test(`${mine} and ${theirs} at once`, () => {
    const gone = mine === "IKE delete" || theirs === "IKE delete";
    for (const nonces of orders) {
      const rules: Rules = {
        policies: policies({ once: gone }),
        nonces,
        triggers: [trigger(0, mine), trigger(1, theirs)],
        ...BOUNDS,
      };
      const t = Date.now();
      const found = explore(connected(rules), rules, gone ? nothing : agreement);
      total += found.states;
      console.log(mine, theirs, JSON.stringify(nonces), found, Date.now() - t, "ms");
      assert(found.ends > 0);
    }
    console.log(`${total} states`);
  });
