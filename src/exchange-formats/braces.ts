/**
 * The syntax of strongswan.conf and swanctl.conf as a tree: sections in braces, `key = value`, `#` comments, quoted values,
 * sections that begin as a copy of others (`name : other`). Bounded in depth and in the number of nodes.
 */
import { UnreadableFile } from "./notes.js";

export interface Value {
  readonly text: string;
  readonly line: number;
}

export interface Section {
  readonly name: string;
  readonly line: number;
  readonly values: ReadonlyMap<string, Value>;
  readonly sections: ReadonlyMap<string, Section>;
}

interface OpenSection extends Section {
  readonly values: Map<string, Value>;
  readonly sections: Map<string, OpenSection>;
  readonly references: string[];
}

const MOST_NODES = 20_000;
const DEEPEST = 12;

/** Throws `UnreadableFile`. `included` hears of every `include`, which is not followed. */
export function parseBraces(text: string, included: (line: number, what: string) => void): Section {
  const cursor = new Cursor(text);
  const top = open("", 1);
  readInto(top, cursor, 0, included);
  return resolve(top, top, new Set(), { nodes: 0 });
}

function open(name: string, line: number): OpenSection {
  return { name, line, values: new Map(), sections: new Map(), references: [] };
}

/** Where a text is being read. */
class Cursor {
  readonly #text: string;
  #at = 0;
  #nodes = 0;
  line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  count(): void {
    if (++this.#nodes > MOST_NODES) throw new UnreadableFile(this.line, `more than ${MOST_NODES} sections and values`);
  }

  peek(): string {
    return this.#text[this.#at] ?? "";
  }

  next(): string {
    const character = this.#text[this.#at++] ?? "";
    if (character === "\n") this.line++;
    return character;
  }

  /** Blanks, line ends and comments. */
  skip(): void {
    while (!this.done) {
      const character = this.peek();
      if (/\s/.test(character)) this.next();
      else if (character === "#") this.skipLine();
      else return;
    }
  }

  /** Blanks of this line alone. */
  skipBlanks(): void {
    while (!this.done && /[^\S\n]/.test(this.peek())) this.next();
  }

  skipLine(): void {
    while (!this.done && this.peek() !== "\n") this.next();
  }

  name(): string {
    const begin = this.#at;
    while (!this.done && !/[\s{}=:,#"]/.test(this.peek())) this.next();
    return this.#text.slice(begin, this.#at);
  }

  /** The rest of the line up to a comment or a brace, with quoted parts read. */
  value(): string {
    const parts: string[] = [];
    this.skipBlanks();
    while (!this.done && !/[\n{}#]/.test(this.peek())) {
      if (this.peek() === '"') parts.push(this.#quoted());
      else parts.push(this.next());
    }
    return parts.join("").trim();
  }

  #quoted(): string {
    const begin = this.line;
    const parts: string[] = [];
    this.next();
    for (;;) {
      if (this.done) throw new UnreadableFile(begin, "a quoted value has no end");
      const character = this.next();
      if (character === '"') return parts.join("");
      parts.push(character === "\\" ? escaped(this.next()) : character);
    }
  }
}

function escaped(character: string): string {
  return { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" }[character] ?? (character === "\n" ? "" : character);
}

function readInto(
  section: OpenSection,
  cursor: Cursor,
  depth: number,
  included: (line: number, what: string) => void,
): void {
  if (depth > DEEPEST) throw new UnreadableFile(cursor.line, "sections are nested too deeply");
  for (;;) {
    cursor.skip();
    if (cursor.done) {
      if (depth > 0) throw new UnreadableFile(section.line, `section ${section.name} has no closing brace`);
      return;
    }
    if (cursor.peek() === "}") {
      if (depth === 0) throw new UnreadableFile(cursor.line, "a closing brace without an opening one");
      cursor.next();
      return;
    }
    const { line } = cursor;
    cursor.count();
    const name = cursor.name();
    if (name === "") throw new UnreadableFile(line, "a name of a section or a key is missing");
    cursor.skipBlanks();
    if (name === "include" && !/[={:]/.test(cursor.peek())) {
      included(line, cursor.value());
      continue;
    }
    if (cursor.peek() === "=") {
      cursor.next();
      section.values.set(name, { text: cursor.value(), line });
      continue;
    }
    const inner = section.sections.get(name) ?? open(name, line);
    if (cursor.peek() === ":") {
      cursor.next();
      inner.references.push(...readReferences(cursor));
    }
    cursor.skip();
    if (cursor.peek() !== "{") throw new UnreadableFile(line, `neither "=" nor "{" follows ${name}`);
    cursor.next();
    section.sections.set(name, inner);
    readInto(inner, cursor, depth + 1, included);
  }
}

function readReferences(cursor: Cursor): string[] {
  const found: string[] = [];
  for (;;) {
    cursor.skip();
    const name = cursor.name();
    if (name === "") return found;
    found.push(name);
    cursor.skip();
    if (cursor.peek() !== ",") return found;
    cursor.next();
  }
}

/** Lays what a section refers to under what it says itself. */
function resolve(
  section: OpenSection,
  top: OpenSection,
  open: ReadonlySet<OpenSection>,
  budget: { nodes: number },
): Section {
  if (open.has(section)) throw new UnreadableFile(section.line, `section ${section.name} refers to itself`);
  budget.nodes += 1 + section.values.size;
  if (budget.nodes > MOST_NODES)
    throw new UnreadableFile(section.line, `references expand to more than ${MOST_NODES} sections and values`);
  const within = new Set([...open, section]);
  const values = new Map<string, Value>();
  const sections = new Map<string, Section>();
  for (const reference of section.references) {
    let target: OpenSection | undefined = top;
    for (const step of reference.split(".")) target = target?.sections.get(step);
    if (target === undefined) throw new UnreadableFile(section.line, `there is no section ${reference} to refer to`);
    const base = resolve(target, top, within, budget);
    for (const [key, value] of base.values) values.set(key, value);
    for (const [key, value] of base.sections) sections.set(key, value);
  }
  for (const [key, value] of section.values) values.set(key, value);
  for (const [key, inner] of section.sections) {
    const own = resolve(inner, top, within, budget);
    sections.set(key, merged(sections.get(key), own));
  }
  return { name: section.name, line: section.line, values, sections };
}

function merged(under: Section | undefined, own: Section): Section {
  if (under === undefined) return own;
  const sections = new Map(under.sections);
  for (const [key, inner] of own.sections) sections.set(key, merged(sections.get(key), inner));
  return { ...own, values: new Map([...under.values, ...own.values]), sections };
}
