/** The syntax of ipsec.conf, which strongSwan and libreswan share: sections at the margin, `key=value` indented, `also=` and `%default`. */
import type { Value } from "./braces.js";
import { UnreadableFile } from "./notes.js";

/** A `conn` with what it takes from others. */
export interface Conn {
  readonly name: string;
  readonly line: number;
  readonly values: ReadonlyMap<string, Value>;
  /** Its own words, nothing inherited. */
  readonly own: ReadonlyMap<string, Value>;
}

export interface IpsecConf {
  /** Without `%default`. */
  readonly conns: readonly Conn[];
  /** Names that others take from. */
  readonly bases: ReadonlySet<string>;
  readonly includes: readonly Value[];
}

interface Raw {
  readonly name: string;
  readonly line: number;
  readonly values: Map<string, Value>;
  readonly also: Value[];
}

const MOST_CONNS = 2_000;
const MOST_STEPS = 50_000;

/** Throws `UnreadableFile`. */
export function parseIpsecConf(text: string): IpsecConf {
  const conns = new Map<string, Raw>();
  const includes: Value[] = [];
  let current: Raw | undefined;
  for (const [index, raw] of text.split("\n").entries()) {
    const line = index + 1;
    const words = withoutComment(raw.replace(/\r$/, ""));
    if (words.trim() === "") continue;
    if (/^\S/.test(words)) {
      const [, kind = "", name = ""] = /^(\S+)(?:\s+(\S+))?/.exec(words) ?? [];
      if (kind === "include") includes.push({ text: name, line });
      else if (kind === "conn" && name !== "") {
        current = conns.get(name) ?? { name, line, values: new Map(), also: [] };
        conns.set(name, current);
        if (conns.size > MOST_CONNS) throw new UnreadableFile(line, `more than ${MOST_CONNS} sections`);
      } else if (kind === "config" || kind === "ca") current = undefined;
      else if (!/^version$/.test(kind))
        throw new UnreadableFile(line, "neither a section (conn, config, ca) nor an indented key=value");
      continue;
    }
    const [, key = "", value = ""] = /^\s+([A-Za-z0-9_-]+)\s*=(.*)$/.exec(words) ?? [];
    if (key === "" && /^\s+include\s/.test(words)) includes.push({ text: words.trim().slice(8), line });
    else if (key === "") throw new UnreadableFile(line, "an indented line without key=value");
    else if (current !== undefined) {
      const plain = { text: value.trim().replace(/^"(.*)"$/s, "$1"), line };
      if (key.toLowerCase() === "also")
        current.also.push(...plain.text.split(/[\s,]+/).map((name) => ({ text: name, line })));
      else current.values.set(key.toLowerCase(), plain);
    }
  }
  const budget = { steps: 0 };
  const base = conns.get("%default");
  const found = [...conns.values()].filter((conn) => conn !== base);
  return {
    conns: found.map((conn) => ({
      name: conn.name,
      line: conn.line,
      own: conn.values,
      values: new Map([
        ...(base ? inherited(base, conns, new Set(), budget) : []),
        ...inherited(conn, conns, new Set(), budget),
      ]),
    })),
    bases: new Set([...conns.values()].flatMap(({ also }) => also.map(({ text: name }) => name))),
    includes,
  };
}

/** A hash begins a comment at the margin or after a blank, outside of quotes. */
function withoutComment(words: string): string {
  let quoted = false;
  for (let i = 0; i < words.length; i++) {
    if (words[i] === '"') quoted = !quoted;
    else if (words[i] === "#" && !quoted && (i === 0 || /\s/.test(words[i - 1]!))) return words.slice(0, i);
  }
  return words;
}

function inherited(
  conn: Raw,
  all: ReadonlyMap<string, Raw>,
  open: ReadonlySet<Raw>,
  budget: { steps: number },
): Map<string, Value> {
  if (open.has(conn)) throw new UnreadableFile(conn.line, `conn ${conn.name} takes from itself by also=`);
  budget.steps += 1 + conn.values.size;
  if (budget.steps > MOST_STEPS) throw new UnreadableFile(conn.line, "also= expands to too much");
  const values = new Map<string, Value>();
  for (const { text: name, line } of conn.also) {
    const base = all.get(name);
    if (base === undefined) throw new UnreadableFile(line, `also= names a conn that is not here: ${name.slice(0, 60)}`);
    for (const [key, value] of inherited(base, all, new Set([...open, conn]), budget)) values.set(key, value);
  }
  for (const [key, value] of conn.values) values.set(key, value);
  return values;
}
