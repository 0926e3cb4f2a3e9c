/**
 * What the packet filter of this host does to a packet, from `nft -j list ruleset`: a small evaluator of the parts of nftables that firewalls
 * are made of. A match that it does not know makes the answer uncertain, never wrong. Pure.
 */
import { type Family, parseAddress, parsePrefix, prefixContains } from "../../esp/address.js";

export interface FilteredPacket {
  readonly hook: "input" | "output" | "forward" | "postrouting";
  readonly family: Family;
  readonly protocol: "udp" | "esp" | "icmp";
  readonly source: string;
  readonly destination: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly in?: string;
  readonly out?: string;
  readonly state: "new" | "established";
}

/** `rule`: where it was decided, in words. `translated`: the source address is changed (masquerade, snat). */
export interface Filtered {
  readonly verdict: "accepted" | "dropped" | "translated" | "unsure";
  readonly rule?: string;
}

/** `ruleset`: what nft prints; what is not understood of it counts as unsure. */
export function filter(ruleset: unknown, packet: FilteredPacket): Filtered {
  const rules = readRuleset(ruleset);
  if (rules === undefined) return { verdict: "unsure" };
  let result: Filtered = { verdict: "accepted" };
  const wanted = packet.hook === "postrouting" ? "nat" : "filter";
  const chains = rules.chains
    .filter(({ hook, type, family }) => hook === packet.hook && type === wanted && concerns(family, packet.family))
    .sort((a, b) => (a.prio ?? 0) - (b.prio ?? 0));
  for (const chain of chains) {
    const run: Run = { rules, packet, doubt: undefined, depth: 0 };
    const end = runChain(run, chain);
    const rule = end?.rule ?? (chain.policy === "drop" ? `${nameOf(chain)}: policy drop` : undefined);
    const dropped = end === undefined ? chain.policy === "drop" : end.verdict === "dropped";
    if (dropped && run.doubt === undefined) return { verdict: "dropped", ...(rule !== undefined && { rule }) };
    if (end?.verdict === "translated" && run.doubt === undefined) return { verdict: "translated", rule: end.rule };
    if (run.doubt !== undefined) result = { verdict: "unsure", rule: run.doubt };
  }
  return result;
}

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly type?: string;
  readonly prio?: number;
  readonly policy?: string;
}

interface Rules {
  readonly chains: readonly Chain[];
  readonly byChain: ReadonlyMap<string, readonly (readonly Expression[])[]>;
}

type Expression = Readonly<Record<string, unknown>>;

interface Run {
  readonly rules: Rules;
  readonly packet: FilteredPacket;
  /** A rule that might have decided. */
  doubt: string | undefined;
  depth: number;
}

interface End {
  readonly verdict: "accepted" | "dropped" | "translated";
  readonly rule: string;
}

const DEEPEST = 16;

function readRuleset(ruleset: unknown): Rules | undefined {
  const list = (ruleset as { readonly nftables?: unknown } | undefined)?.nftables;
  if (!Array.isArray(list)) return undefined;
  const chains: Chain[] = [];
  const byChain = new Map<string, Expression[][]>();
  for (const item of list as readonly Readonly<Record<string, Expression>>[]) {
    if (item.chain) chains.push(item.chain as unknown as Chain);
    if (item.rule) {
      const { family, table, chain, expr } = item.rule as Readonly<Record<string, string>>;
      const key = `${family} ${table} ${chain}`;
      const known = byChain.get(key) ?? [];
      byChain.set(key, known);
      known.push(Array.isArray(expr) ? (expr as Expression[]) : []);
    }
  }
  return { chains, byChain };
}

function concerns(table: string, family: Family): boolean {
  return table === "inet" || table === (family === 4 ? "ip" : "ip6");
}

function nameOf({ family, table, name }: Chain): string {
  return `table ${family} ${table}, chain ${name}`;
}

/** Undefined: the packet came through, and the policy decides. */
function runChain(run: Run, chain: Chain): End | undefined {
  for (const expressions of run.rules.byChain.get(`${chain.family} ${chain.table} ${chain.name}`) ?? []) {
    const end = runRule(run, chain, expressions);
    if (end === "return") return undefined;
    if (end !== undefined) return end;
  }
  return undefined;
}

function runRule(run: Run, chain: Chain, expressions: readonly Expression[]): End | "return" | undefined {
  const rule = `${nameOf(chain)}: ${ruleWords(expressions)}`;
  let sure = true;
  for (const expression of expressions) {
    const [kind = "", value] = Object.entries(expression)[0] ?? [];
    if (kind === "match") {
      const matches = matchOne(value as Match, run.packet);
      if (matches === false) return undefined;
      if (matches === undefined) sure = false;
      continue;
    }
    if (kind === "xt" || kind === "limit") {
      sure = false;
      continue;
    }
    if (!(kind in DECISIONS)) continue;
    if (!sure) {
      run.doubt ??= rule;
      return undefined;
    }
    if (kind === "return") return "return";
    const verdict = DECISIONS[kind as keyof typeof DECISIONS];
    if (verdict !== undefined) return { verdict, rule };
    const target = (value as { readonly target?: string }).target ?? "";
    const next = run.rules.chains.find(
      (one) => one.family === chain.family && one.table === chain.table && one.name === target,
    );
    if (next === undefined || run.depth >= DEEPEST) continue;
    run.depth++;
    const end = runChain(run, next);
    run.depth--;
    if (end !== undefined) return end;
    if (kind === "goto") return "return";
  }
  return undefined;
}

/** Undefined: it goes on elsewhere. */
const DECISIONS = {
  accept: "accepted",
  drop: "dropped",
  reject: "dropped",
  masquerade: "translated",
  snat: "translated",
  jump: undefined,
  goto: undefined,
  return: undefined,
} as const;

interface Match {
  readonly op?: string;
  readonly left: unknown;
  readonly right: unknown;
}

/** Undefined: not understood. */
function matchOne({ op = "==", left, right }: Match, packet: FilteredPacket): boolean | undefined {
  const values = valuesOf(left, packet);
  if (values === undefined) return undefined;
  if (values.length === 0) return false;
  if (op !== "==" && op !== "!=" && op !== "in") return undefined;
  const answers = membersOf(right).map((member) => oneOf(values, member));
  const found = answers.includes(true) ? true : answers.includes(undefined) ? undefined : false;
  if (found === undefined) return undefined;
  return op === "!=" ? !found : found;
}

/** "?" stands for what the packet does not say. */
function oneOf(values: readonly string[], member: unknown): boolean | undefined {
  if (values.includes("?")) return undefined;
  const answers = values.map((value) => isMember(value, member));
  return answers.includes(true) ? true : answers.includes(undefined) ? undefined : false;
}

/** What the packet has at that place, in every spelling; none: the place is of another protocol. */
function valuesOf(left: unknown, packet: FilteredPacket): readonly string[] | undefined {
  const { payload, meta, ct } = left as {
    readonly payload?: { readonly protocol?: string; readonly field?: string };
    readonly meta?: { readonly key?: string };
    readonly ct?: { readonly key?: string };
  };
  const protocol = PROTOCOLS[packet.protocol];
  if (payload) {
    const ip = packet.family === 4 ? "ip" : "ip6";
    if (payload.protocol === "ip" || payload.protocol === "ip6") {
      if (payload.protocol !== ip) return [];
      if (payload.field === "saddr") return [packet.source];
      if (payload.field === "daddr") return [packet.destination];
      if (payload.field === "protocol" || payload.field === "nexthdr") return protocol;
      return undefined;
    }
    if (payload.protocol === "udp" || payload.protocol === "th") {
      if (packet.protocol !== "udp") return payload.protocol === "udp" ? [] : undefined;
      if (payload.field === "dport") return [String(packet.destinationPort ?? "?")];
      if (payload.field === "sport") return [String(packet.sourcePort ?? "?")];
      return undefined;
    }
    return payload.protocol === "tcp" ? [] : undefined;
  }
  switch (meta?.key) {
    case "iifname":
    case "iif":
      return packet.in === undefined ? (packet.hook === "output" ? [] : undefined) : [packet.in];
    case "oifname":
    case "oif":
      return packet.out === undefined ? (packet.hook === "input" ? [] : undefined) : [packet.out];
    case "l4proto":
      return protocol;
    case "nfproto":
      return packet.family === 4 ? ["ipv4", "2"] : ["ipv6", "10"];
    default:
      return ct?.key === "state" ? [packet.state] : undefined;
  }
}

const PROTOCOLS = { udp: ["udp", "17"], esp: ["esp", "50"], icmp: ["icmp", "1", "ipv6-icmp", "58"] } as const;

function membersOf(right: unknown): readonly unknown[] {
  const set = (right as { readonly set?: unknown } | null)?.set;
  if (Array.isArray(set)) return set;
  return Array.isArray(right) ? right : [right];
}

function isMember(value: string, member: unknown): boolean | undefined {
  if (typeof member === "number") return value === String(member);
  if (typeof member === "string") {
    if (member.startsWith("@")) return undefined;
    if (member.endsWith("*")) return value.startsWith(member.slice(0, -1));
    return value === member;
  }
  const { range, prefix } = member as {
    readonly range?: readonly [unknown, unknown];
    readonly prefix?: { readonly addr: string; readonly len: number };
  };
  try {
    if (prefix) return prefixContains(parsePrefix(`${prefix.addr}/${prefix.len}`), parseAddress(value));
    if (range && /^\d+$/.test(value)) return Number(value) >= Number(range[0]) && Number(value) <= Number(range[1]);
    if (range) {
      const [from, to, at] = [String(range[0]), String(range[1]), value].map((text) => parseAddress(text).value);
      return at! >= from! && at! <= to!;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return undefined;
}

/** "udp dport 4500 drop". */
function ruleWords(expressions: readonly Expression[]): string {
  const words = expressions.map((expression) => {
    const [kind = "", value] = Object.entries(expression)[0] ?? [];
    if (kind === "counter") return "";
    if (kind !== "match") return kind;
    const { op = "==", left, right } = value as Match;
    return `${leftWords(left)} ${op === "==" || op === "in" ? "" : `${op} `}${rightWords(right)}`;
  });
  return words.filter((word) => word !== "").join(" ");
}

function leftWords(left: unknown): string {
  const { payload, meta, ct } = left as Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;
  if (payload) return `${payload.protocol} ${payload.field}`;
  if (meta) return String(meta.key);
  return ct ? `ct ${ct.key}` : "…";
}

function rightWords(right: unknown): string {
  const words = membersOf(right).map((member) => {
    if (typeof member !== "object" || member === null) return String(member);
    const { prefix, range } = member as {
      readonly prefix?: { readonly addr: string; readonly len: number };
      readonly range?: readonly unknown[];
    };
    if (prefix) return `${prefix.addr}/${prefix.len}`;
    return range ? range.map(String).join("-") : "…";
  });
  return words.length === 1 ? words[0]! : `{ ${words.join(", ")} }`;
}
