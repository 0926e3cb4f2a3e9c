/** Our gateway's log as the story of its SAs: which were open when, and what was said around a moment. */

interface Line {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Story {
  /** Children that were opened, and those that took the place of another one. */
  readonly children: number;
  readonly rekeys: number;
  readonly ikeSas: number;
  /** Children that are open at the end, and the most that were open at once. */
  readonly open: number;
  readonly mostOpen: number;
  /** What was said between two moments, with the time of each line. */
  around(from: number, to: number): readonly string[];
}

export function readStory(log: string): Story {
  const lines = log.split("\n").flatMap(lineOf);
  const open = new Set<unknown>();
  let children = 0;
  let rekeys = 0;
  let ikeSas = 0;
  let mostOpen = 0;
  for (const { text, fields } of lines) {
    if (text.startsWith("IKE SA established")) ikeSas++;
    if (text.startsWith("child SA established")) {
      children++;
      if (fields.replaces !== undefined) rekeys++;
      open.add(fields.child);
      mostOpen = Math.max(mostOpen, open.size);
    }
    if (text.startsWith("child SA closed")) open.delete(fields.child);
  }
  return {
    children,
    rekeys,
    ikeSas,
    open: open.size,
    mostOpen,
    around: (from, to) =>
      lines
        .filter(({ at }) => at >= from && at <= to)
        .map(({ at, text, fields }) => `${new Date(at).toISOString().slice(11, 23)} ${text}${details(fields)}`),
  };
}

function lineOf(line: string): Line[] {
  if (!line.startsWith("{")) return [];
  try {
    const { time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
    return [{ at: Date.parse(String(time)), text: String(msg), fields }];
  } catch {
    return []; // the line that is being written
  }
}

function details({ child, replaces, ike, code }: Line["fields"]): string {
  const named = Object.entries({ child, replaces, code, ike }).filter(([, value]) => value !== undefined);
  return named.map(([name, value]) => ` ${name}=${value}`).join("");
}
