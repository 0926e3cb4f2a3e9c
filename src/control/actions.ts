/** `up`, `down` and `rekey`: the wish goes to the core, and the outcome is read from its views and reports. */
import type { Wish } from "../../ike/core/types.js";
import type { TunnelView } from "../../ike/core/view.js";
import type { Driver } from "../driver.js";
import { failureSentence, type Reports } from "../reports.js";
import type { Clock } from "../scheduler.js";
import type { ActionResult } from "./status-model.js";

export type Action = "up" | "down" | "rekeyChildren" | "rekeyIke";

export interface ActionPorts {
  readonly driver: Pick<Driver, "wish" | "views" | "onChange">;
  readonly reports: Pick<Reports, "onReport">;
  readonly clock: Clock;
}

/** Milliseconds until an action answers with what is known by then. */
const PATIENCE = 30_000;

/** Undefined: there is no tunnel of that name. Never rejects. */
export function act(ports: ActionPorts, tunnel: string, action: Action): Promise<ActionResult | undefined> {
  const before = viewOf(ports, tunnel);
  if (before === undefined) return Promise.resolve(undefined);
  const rule = RULES[action];
  const refusal = rule.refuse(before);
  if (refusal !== undefined) return Promise.resolve(refusal);
  return new Promise((resolve) => {
    const stops: (() => void)[] = [];
    const settle = (result: ActionResult): void => {
      for (const stop of stops.splice(0)) stop();
      resolve(result);
    };
    const look = (): void => {
      const view = viewOf(ports, tunnel);
      if (view && rule.done(before, view)) settle({ ok: true, result: rule.success(view) });
    };
    stops.push(
      ports.reports.onReport((report) => {
        if (report.kind === "failed" && !report.unproven && report.tunnel === tunnel && action !== "down")
          settle({ ok: false, result: `${tunnel}: ${rule.failure}`, reason: failureSentence(report) });
      }),
      ports.driver.onChange(look),
      ports.clock.at(ports.clock.now() + PATIENCE, () => settle(overdue(ports, tunnel, rule))),
    );
    ports.driver.wish(rule.wish(tunnel));
    look();
  });
}

interface Rule {
  readonly wish: (tunnel: string) => Wish;
  /** A result at once, without a wish: it is so already, or cannot be. */
  readonly refuse: (before: TunnelView) => ActionResult | undefined;
  readonly done: (before: TunnelView, now: TunnelView) => boolean;
  readonly success: (view: TunnelView) => string;
  readonly failure: string;
}

const RULES: Readonly<Record<Action, Rule>> = {
  up: {
    wish: (tunnel) => ({ do: "up", tunnel }),
    refuse: (before) =>
      before.state === "established" ? { ok: true, result: `tunnel ${before.name} is established` } : undefined,
    done: (_before, now) => now.state === "established",
    success: (view) => `tunnel ${view.name} is established`,
    failure: "the tunnel did not come up",
  },
  down: {
    wish: (tunnel) => ({ do: "down", tunnel }),
    refuse: () => undefined,
    done: (_before, now) => now.state === "down" && now.ike === undefined,
    success: (view) => `tunnel ${view.name} is down`,
    failure: "the tunnel did not go down",
  },
  rekeyChildren: {
    wish: (tunnel) => ({ do: "rekeyChildren", tunnel }),
    refuse: (before) =>
      liveChildren(before).length > 0 ? undefined : notUp(before, "there is no child SA that could be renewed"),
    done: (before, now) => {
      const old = new Set(liveChildren(before));
      const live = liveChildren(now);
      return live.length >= old.size && live.every((id) => !old.has(id)) && now.state !== "connecting";
    },
    success: (view) => `the child SAs of tunnel ${view.name} are renewed`,
    failure: "the child SAs were not renewed",
  },
  rekeyIke: {
    wish: (tunnel) => ({ do: "rekeyIke", tunnel }),
    refuse: (before) => (before.ike ? undefined : notUp(before, "there is no IKE SA that could be renewed")),
    done: (before, now) => now.ike !== undefined && now.ike.spiI !== before.ike?.spiI,
    success: (view) => `the IKE SA of tunnel ${view.name} is renewed`,
    failure: "the IKE SA was not renewed",
  },
};

function viewOf({ driver }: ActionPorts, tunnel: string): TunnelView | undefined {
  return driver.views().find(({ name }) => name === tunnel);
}

function liveChildren(view: TunnelView): number[] {
  return view.children.flatMap(({ id }) => (id === undefined ? [] : [id]));
}

function notUp(view: TunnelView, why: string): ActionResult {
  return { ok: false, result: `tunnel ${view.name} is ${view.state}`, reason: reasonOr(view, why) };
}

function overdue(ports: ActionPorts, tunnel: string, rule: Rule): ActionResult {
  const view = viewOf(ports, tunnel);
  const state = view === undefined ? rule.failure : `tunnel ${tunnel} is ${view.state}`;
  const fallback = `there is no outcome after ${PATIENCE / 1_000} s; it goes on`;
  return { ok: false, result: state, reason: view ? reasonOr(view, fallback) : fallback };
}

function reasonOr(view: TunnelView, fallback: string): string {
  return view.reason === "" ? fallback : view.reason;
}
