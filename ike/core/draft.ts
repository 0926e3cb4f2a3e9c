/** The endpoint that a step is making; the old one stays as it was. */
import type { ChildId } from "../../esp/sa.js";
import type { CookieSecrets } from "../v2/cookie.js";
import { type Child, newestChild } from "./child.js";
import { type Ids, type IkeKey, spiHex } from "./context.js";
import type { AskOwner, Endpoint } from "./endpoint.js";
import type { Policy, TunnelPolicy } from "./policy.js";
import type { SaTable } from "./sa-table.js";
import { type AnySa, type Holder, isHolder } from "./sas.js";
import type { TunnelState } from "./supervisor.js";
import type { Table } from "./table.js";
import type { AskId, Context, Effect, Instant } from "./types.js";

export class Draft {
  readonly base: Endpoint;
  readonly effects: Effect[] = [];
  /** Tunnels that something happened to: the supervisor looks at them at the end. */
  readonly touched = new Set<string>();
  cookies: CookieSecrets | undefined;
  shutdownAt: Instant | undefined;
  #policy: Policy;
  #byName: ReadonlyMap<string, TunnelPolicy>;
  #sas: SaTable;
  #tunnels: Table<string, TunnelState>;
  #asks: Table<AskId, AskOwner>;
  #nextAsk: AskId;
  #nextChild: ChildId;

  constructor(base: Endpoint) {
    this.base = base;
    this.cookies = base.cookies;
    this.shutdownAt = base.shutdownAt;
    this.#policy = base.policy;
    this.#byName = base.byName;
    this.#sas = base.sas;
    this.#tunnels = base.tunnels;
    this.#asks = base.asks;
    this.#nextAsk = base.nextAsk;
    this.#nextChild = base.nextChild;
  }

  get policy(): Policy {
    return this.#policy;
  }

  /** Also those that are gone from the policy, as long as an IKE SA is left of them. */
  get byName(): ReadonlyMap<string, TunnelPolicy> {
    return this.#byName;
  }

  get sas(): SaTable {
    return this.#sas;
  }

  get tunnels(): Table<string, TunnelState> {
    return this.#tunnels;
  }

  setSa(key: IkeKey, sa: AnySa | undefined): void {
    this.#sas = this.#sas.with(key, sa);
  }

  setTunnel(name: string, state: TunnelState): void {
    if (this.tunnels.get(name) === state) return;
    this.#tunnels = this.#tunnels.with(name, state);
    this.touched.add(name);
  }

  /** Another configuration. Tunnels that it lacks keep the policy that they had, and their state: they are on their way out. */
  setPolicy(policy: Policy): void {
    this.#policy = policy;
    this.#byName = new Map([...this.#byName, ...policy.tunnels.map((tunnel) => [tunnel.name, tunnel] as const)]);
  }

  noteAsk(ask: AskId, owner: AskOwner): void {
    this.#asks = this.#asks.with(ask, owner);
  }

  /** Whose answer this is; each answer counts once. */
  takeAsk(ask: AskId): AskOwner | undefined {
    const owner = this.#asks.get(ask);
    this.#asks = this.#asks.without(ask);
    return owner;
  }

  childOwner(id: ChildId): Holder | undefined {
    return this.#sas.withChild(id).find(isHolder);
  }

  /** The newest live child of the tunnel that carries the mapping, in whatever IKE SA that stays. */
  liveChild(tunnel: string, mapping: number): ChildId | undefined {
    return this.#newestChild(tunnel, mapping, "live");
  }

  /** The newest one that has been replaced, and still works at both ends: better than none. */
  replacedChild(tunnel: string, mapping: number): ChildId | undefined {
    return this.#newestChild(tunnel, mapping, "old");
  }

  #newestChild(tunnel: string, mapping: number, wanted: Child["state"]): ChildId | undefined {
    let newest: ChildId | undefined;
    const superseded = this.tunnels.get(tunnel)?.superseded;
    for (const sa of this.#sas.of(tunnel)) {
      if (!isHolder(sa) || superseded?.has(sa.key)) continue;
      const here = newestChild(sa.children, wanted, mapping);
      if (here !== undefined && (newest === undefined || here > newest)) newest = here;
    }
    return newest;
  }

  ids({ random }: Context): Ids {
    return {
      ask: () => this.#nextAsk++,
      child: () => this.#nextChild++,
      espSpi: () => {
        for (;;) {
          const [a, b, c, d] = random(4);
          const spi = ((a! << 24) | (b! << 16) | (c! << 8) | d!) >>> 0;
          if (spi > 255 && this.#sas.withEspSpi(spi).length === 0) return spi;
        }
      },
      ikeSpi: () => {
        for (;;) {
          const octets = random(8);
          const spi = new DataView(octets.buffer, octets.byteOffset, 8).getBigUint64(0);
          if (spi !== 0n && !this.sas.has(spiHex(spi))) return spi;
        }
      },
    };
  }

  /** The next endpoint; the very same one where nothing changed. */
  done(): Endpoint {
    this.#forgetTunnels();
    if (this.#isUnchanged()) return this.base;
    return {
      policy: this.#policy,
      byName: this.#byName,
      sas: this.sas,
      tunnels: this.tunnels,
      asks: this.#asks,
      nextAsk: this.#nextAsk,
      nextChild: this.#nextChild,
      ...(this.cookies && { cookies: this.cookies }),
      ...(this.shutdownAt !== undefined && { shutdownAt: this.shutdownAt }),
    };
  }

  /** Tunnels that are gone from the policy, and of which no IKE SA is left either. */
  #forgetTunnels(): void {
    if (this.#byName.size === this.#policy.tunnels.length) return;
    const kept = new Set(this.#policy.tunnels.map(({ name }) => name));
    const gone = [...this.#byName.keys()].filter((name) => !kept.has(name) && this.#sas.of(name).length === 0);
    if (gone.length === 0) return;
    const byName = new Map(this.#byName);
    let tunnels = this.#tunnels;
    for (const name of gone) {
      byName.delete(name);
      tunnels = tunnels.without(name);
    }
    this.#byName = byName;
    this.#tunnels = tunnels;
  }

  #isUnchanged(): boolean {
    const { base } = this;
    const sameMaps = this.#sas === base.sas && this.#tunnels === base.tunnels && this.#asks === base.asks;
    const sameNumbers = this.#nextAsk === base.nextAsk && this.#nextChild === base.nextChild;
    const sameRest = this.cookies === base.cookies && this.shutdownAt === base.shutdownAt;
    const samePolicy = this.#policy === base.policy && this.#byName === base.byName;
    return sameMaps && sameNumbers && sameRest && samePolicy && base.bornAt === undefined;
  }
}
