/** Figures as they come in, and the table that they make: the first contender beside the others, ratios by round. */
import type { Figure } from "./measures.js";
import { formatSpread, spreadOf } from "./statistics.js";

export interface Results<Contender extends Titled> {
  add(contender: Contender, figures: readonly Figure[]): void;
  /** As a Markdown table. */
  table(): string;
  rows(): readonly ResultRow[];
}

export interface ResultRow {
  readonly title: string;
  readonly unit: string;
  readonly better: Figure["better"];
  /** By contender, in the order of the rounds. */
  readonly values: readonly (readonly number[])[];
}

interface Titled {
  readonly title: string;
}

interface Row<Contender> {
  readonly figure: Figure;
  /** By contender, in the order of the rounds. */
  readonly values: Map<Contender, number[]>;
}

export function createResults<Contender extends Titled>(contenders: readonly Contender[]): Results<Contender> {
  const rows = new Map<string, Row<Contender>>();
  /** How often each was said. */
  const notes = new Map<string, number>();

  /** Each round's own ratio: what disturbed the machine meanwhile disturbed both. */
  function ratio({ values }: Row<Contender>, other: Contender): string {
    const ours = values.get(contenders[0]!) ?? [];
    const theirs = values.get(other) ?? [];
    const ratios = ours.slice(0, theirs.length).map((value, i) => value / theirs[i]!);
    return ratios.length > 0 && ratios.every(Number.isFinite) ? formatSpread(spreadOf(ratios)) : "-";
  }

  return {
    add(contender, figures) {
      for (const figure of figures) {
        const row = rows.get(figure.row) ?? { figure, values: new Map<Contender, number[]>() };
        rows.set(figure.row, row);
        if (figure.note !== undefined) {
          const note = `${figure.row}, ${contender.title}: ${figure.note}`;
          notes.set(note, (notes.get(note) ?? 0) + 1);
        }
        row.values.set(contender, [...(row.values.get(contender) ?? []), figure.value]);
      }
    },
    rows: () =>
      [...rows.values()].map(({ figure: { row, unit, better }, values }) => ({
        title: row.trim(),
        unit,
        better,
        values: contenders.map((one) => values.get(one) ?? []),
      })),
    table() {
      const [own, ...others] = contenders;
      const titles = ["", "unit", ...contenders.map(({ title }) => title)];
      for (const { title } of others) titles.push(`${own!.title} / ${title}`);
      const lines = [...rows.values()].map((row) => {
        const { figure, values } = row;
        const cells = contenders.map((one) => {
          const found = values.get(one) ?? [];
          return found.length > 0 ? formatSpread(spreadOf(found)) : "-";
        });
        const arrow = figure.better === "lower" ? " (less is better)" : "";
        return [`${figure.row.trim()}${arrow}`, figure.unit, ...cells, ...others.map((other) => ratio(row, other))];
      });
      const remarks = [...notes].map(([note, rounds]) => `${note} (in ${rounds} rounds)`);
      return [aligned([titles, ...lines]), ...remarks].join("\n");
    },
  };
}

function aligned(cells: readonly (readonly string[])[]): string {
  const widths = cells[0]!.map((_, column) => Math.max(3, ...cells.map((line) => line[column]!.length)));
  const text = (line: readonly string[]): string =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  const [head, ...body] = cells;
  return [text(head!), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...body.map(text)].join("\n");
}
