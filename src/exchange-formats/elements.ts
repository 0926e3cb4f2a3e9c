/** As much of XML as configuration downloads use: elements and text, the five named entities; bounded. */
import { UnreadableFile } from "./notes.js";

export interface Element {
  readonly name: string;
  readonly line: number;
  readonly children: readonly Element[];
  /** Without blanks around it. */
  readonly text: string;
}

const MOST_ELEMENTS = 5_000;
const DEEPEST = 20;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

interface Open {
  readonly name: string;
  readonly line: number;
  readonly children: Element[];
  text: string;
}

/** The root element. Throws `UnreadableFile`. */
export function parseElements(text: string): Element {
  const top: Open = { name: "", line: 1, children: [], text: "" };
  const open: Open[] = [top];
  let line = 1;
  let count = 0;
  for (const [token] of withoutComments(text).matchAll(/<[^<>]*>|[^<]+|</g)) {
    const current = open.at(-1)!;
    const [, closing, name = "", alone] = /^<(\/?)([A-Za-z_][\w.-]*)(?:\s[^<>]*?)?(\/?)>$/.exec(token) ?? [];
    if (name === "") {
      if (token === "<") throw new UnreadableFile(line, "a < that begins no element");
      if (!/^<[!?]/.test(token)) current.text += token;
    } else if (closing === "/") {
      if (open.length === 1 || current.name !== name)
        throw new UnreadableFile(line, `</${name}> closes nothing that is open`);
      open.pop();
      open.at(-1)!.children.push(closed(current));
    } else {
      if (++count > MOST_ELEMENTS) throw new UnreadableFile(line, `more than ${MOST_ELEMENTS} elements`);
      const element = { name, line, children: [], text: "" };
      if (alone === "/") current.children.push(closed(element));
      else if (open.push(element) > DEEPEST) throw new UnreadableFile(line, "elements are nested too deeply");
    }
    line += token.split("\n").length - 1;
  }
  if (open.length > 1) throw new UnreadableFile(open.at(-1)!.line, `<${open.at(-1)!.name}> is not closed`);
  const [root, ...more] = top.children;
  if (root === undefined || more.length > 0) throw new UnreadableFile(1, "there is not one element around the rest");
  return root;
}

/** Their lines stay. */
function withoutComments(text: string): string {
  const parts: string[] = [];
  let at = 0;
  for (;;) {
    const begin = text.indexOf("<!--", at);
    if (begin < 0) return parts.join("") + text.slice(at);
    const end = text.indexOf("-->", begin + 4);
    if (end < 0) throw new UnreadableFile(text.slice(0, begin).split("\n").length, "a comment is not closed");
    parts.push(text.slice(at, begin), text.slice(begin, end).replace(/[^\n]/g, ""));
    at = end + 3;
  }
}

function closed({ name, line, children, text }: Open): Element {
  return { name, line, children, text: text.trim().replace(/&(\w+);/g, (whole, entity) => ENTITIES[entity] ?? whole) };
}

/** The first element below by this path. */
export function below(element: Element | undefined, ...path: readonly string[]): Element | undefined {
  let at = element;
  for (const name of path) at = at?.children.find((each) => each.name === name);
  return at;
}
