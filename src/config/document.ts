/**
 * A YAML file as a plain value, with the place of every key and value in it.
 *
 * The nodes are walked here instead of by `toJS()`: that way unresolved aliases and duplicate keys get a position, the
 * expansion of aliases is bounded, and a pre-shared key that YAML reads as a number (`psk: 0xabcd`) keeps its spelling.
 * The parser's own messages may quote the file, and so a key: they are replaced by sentences per error code.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from "yaml";
import { formatPath, isSecretPath, type ValuePath } from "./path.js";
import type { Position, Problem } from "./problem.js";

/** More nodes than this, after aliases are expanded, are taken for an attack or an accident. */
const MOST_NODES = 500_000;

export interface SourceDocument {
  /** Maps, lists and scalars; `undefined` when `problems` say that the file is no YAML. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** Whether the file has this key or list entry. */
  has(path: ValuePath): boolean;
  /** Where the value begins; for what the file does not have, where its nearest ancestor begins. */
  positionOf(path: ValuePath): Position;
  /** Where the key of a map entry begins. */
  positionOfKey(path: ValuePath): Position;
}

export function readDocument(text: string): SourceDocument {
  const lines = new LineCounter();
  const document = parse(text, lines);
  if (document === undefined)
    return emptyDocument([problemAt([], { line: 1, column: 1 }, "the file is nested too deeply to be read")]);
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const syntax = [...document.errors, ...document.warnings].map((error) =>
    problemAt([], at(error.pos[0]), `this is not YAML that can be read: ${SENTENCES[error.code] ?? "a syntax error"}`),
  );
  return syntax.length > 0 ? emptyDocument(syntax) : walk(document, at);
}

function parse(text: string, lineCounter: LineCounter): Document | undefined {
  try {
    return parseDocument(text, {
      lineCounter,
      prettyErrors: false,
      uniqueKeys: false, // found in the walk, with both places
      logLevel: "error", // "silent" would let further documents pass
    });
  } catch (error) {
    if (error instanceof RangeError) return undefined; // the parser's stack
    throw error;
  }
}

function emptyDocument(problems: readonly Problem[]): SourceDocument {
  const start = { line: 1, column: 1 };
  return { value: undefined, problems, has: () => false, positionOf: () => start, positionOfKey: () => start };
}

function walk(document: Document, at: (offset: number) => Position): SourceDocument {
  const values = new Map<string, Position>();
  const keys = new Map<string, Position>();
  const problems: Problem[] = [];
  const anchors = new Map<string, Node>();
  const open = new Set<Node>();
  let nodes = 0;

  function convert(node: Node | null, path: ValuePath, fallback: number): unknown {
    const start = at(node?.range?.[0] ?? fallback);
    values.set(formatPath(path), start);
    if (++nodes > MOST_NODES) {
      if (nodes === MOST_NODES + 1)
        problems.push(problemAt(path, start, `aliases expand to more than ${MOST_NODES} values; write them out`));
      return undefined;
    }
    if (node === null) return null;
    if (isAlias(node)) return follow(node.source, node, path, start);
    if (node.anchor !== undefined) anchors.set(node.anchor, node);
    if (isScalar(node)) return scalarValue(node, path);
    if (open.has(node)) {
      problems.push(problemAt(path, start, "this alias stands inside the value that it names"));
      return undefined;
    }
    open.add(node);
    const value = isMap(node)
      ? convertMap(node, path)
      : isSeq(node)
        ? node.items.map((item, i) => convert(item as Node | null, [...path, i], node.range?.[0] ?? fallback))
        : undefined;
    open.delete(node);
    return value;
  }

  function follow(name: string, alias: Node, path: ValuePath, start: Position): unknown {
    const target = anchors.get(name);
    if (target !== undefined) return convert(target, path, alias.range?.[0] ?? 0);
    const what = isSecretPath(path) ? "" : ` *${name}`;
    const quote = isSecretPath(path) ? "; a key that begins with * must be quoted" : "";
    problems.push(problemAt(path, start, `the alias${what} has no anchor &… before it${quote}`));
    return undefined;
  }

  function convertMap(map: YAMLMap, path: ValuePath): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    for (const pair of map.items) {
      const keyNode = pair.key as Node | null;
      const start = at(keyNode?.range?.[0] ?? map.range?.[0] ?? 0);
      if (!isScalar(keyNode) || keyNode.value === null) {
        problems.push(problemAt(path, start, "a key is plain text here, not a list, a block, an alias or nothing"));
        continue;
      }
      const key = String(keyNode.source ?? keyNode.value);
      const inner = [...path, key];
      const first = keys.get(formatPath(inner));
      if (Object.hasOwn(value, key) && first !== undefined) {
        const where = `line ${first.line}, column ${first.column}`;
        problems.push(
          isSecretPath(path)
            ? problemAt(path, start, `a key stands here twice; first in ${where}`)
            : problemAt(inner, start, `duplicate key: it stands here twice, first in ${where}; keep one of them`),
        );
        continue;
      }
      keys.set(formatPath(inner), start);
      const converted = convert(pair.value as Node | null, inner, keyNode.range?.[0] ?? 0);
      // Not an assignment: "__proto__" is a key like any other, and unknown.
      Object.defineProperty(value, key, { value: converted, enumerable: true, configurable: true, writable: true });
    }
    return value;
  }

  const value = convert(document.contents, [], 0);
  const positionOf = (path: ValuePath): Position => {
    for (let length = path.length; length > 0; length--) {
      const found = values.get(formatPath(path.slice(0, length)));
      if (found !== undefined) return found;
    }
    return values.get(formatPath([])) ?? { line: 1, column: 1 };
  };
  return {
    value,
    problems,
    has: (path) => values.has(formatPath(path)),
    positionOf,
    positionOfKey: (path) => keys.get(formatPath(path)) ?? positionOf(path),
  };
}

function scalarValue(node: Scalar, path: ValuePath): unknown {
  const rewritten = typeof node.value === "number" || typeof node.value === "boolean" || typeof node.value === "bigint";
  return path.at(-1) === "psk" && rewritten ? (node.source ?? String(node.value)) : node.value;
}

function problemAt(path: ValuePath, position: Position, message: string): Problem {
  return { path, position, message };
}

const SENTENCES: Readonly<Record<string, string>> = {
  ALIAS_PROPS: "an alias (*name) takes no anchor or tag of its own",
  BAD_ALIAS: "an alias or anchor has no valid name; text that begins with * or & must be quoted",
  BAD_COLLECTION_TYPE: "the tag (!…) does not fit what follows it",
  BAD_DIRECTIVE: "a line that begins with % is a directive, and this one is unknown",
  BAD_DQ_ESCAPE: 'unknown escape in a "…" text; write \\\\ for a backslash, or use single quotes',
  BAD_INDENT: "the indentation does not fit the lines above",
  BAD_PROP_ORDER: "an anchor or tag stands in the wrong place",
  BAD_SCALAR_START: "plain text cannot begin with this character; put it into quotes",
  BLOCK_AS_IMPLICIT_KEY: "a list or block stands where a value on the same line is expected; is there a second colon?",
  BLOCK_IN_FLOW: "an indented block cannot stand inside [ ] or { }",
  IMPOSSIBLE: "the parser does not know what this is",
  KEY_OVER_1024_CHARS: "a key is longer than 1024 characters",
  MISSING_CHAR: "a closing quote, bracket, brace, a comma, a colon or a space is missing",
  MULTILINE_IMPLICIT_KEY: "a key must stand on one line; is a colon missing above?",
  MULTIPLE_ANCHORS: "a value has more than one anchor",
  MULTIPLE_DOCS: "the file holds several documents (---); one is allowed",
  MULTIPLE_TAGS: "a value has more than one tag",
  NON_STRING_KEY: "keys are plain text",
  RESOURCE_EXHAUSTION: "the file is nested too deeply",
  TAB_AS_INDENT: "tabs cannot indent; use spaces",
  TAG_RESOLVE_FAILED: "tags (!…) are not used here; text that begins with ! must be quoted",
  UNEXPECTED_TOKEN: "something stands where nothing can; is a quote, a bracket or a colon missing or too many?",
};
