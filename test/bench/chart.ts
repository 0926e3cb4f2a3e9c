/** The table as a plot: one panel for each figure, one bar for each contender, with the spread of the rounds as a line. */
import type { ResultRow } from "./results.js";
import { formatSpread, spreadOf } from "./statistics.js";

const COLOURS = ["#0b6e4f", "#b5651d", "#4a6fa5", "#8c8c8c", "#c9c9c9", "#7b4b94"];
const PANEL = { width: 340, bar: 16, gap: 5, title: 24, margin: 14, name: 92, value: 118 };
const COLUMNS = 3;

/** An SVG of the rows that have figures. `titles`: the contenders, in the order of the values. */
export function chart(rows: readonly ResultRow[], titles: readonly string[]): string {
  const height = PANEL.title + titles.length * (PANEL.bar + PANEL.gap) + PANEL.margin;
  const lines = Math.ceil(rows.length / COLUMNS);
  const panels = rows.map((row, i) => {
    const x = (i % COLUMNS) * (PANEL.width + PANEL.margin) + PANEL.margin;
    const y = Math.floor(i / COLUMNS) * height + PANEL.margin;
    return `<g transform="translate(${x} ${y})">${panel(row, titles)}</g>`;
  });
  const width = COLUMNS * (PANEL.width + PANEL.margin) + PANEL.margin;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${lines * height + PANEL.margin}" font-family="sans-serif" font-size="11">
<title>The contenders side by side: medians, and the spread of the rounds</title>
<rect width="100%" height="100%" fill="#ffffff"/>
${panels.join("\n")}
</svg>
`;
}

function panel({ title, unit, better, values }: ResultRow, titles: readonly string[]): string {
  const largest = Math.max(...values.flat(), Number.MIN_VALUE);
  const room = PANEL.width - PANEL.name - PANEL.value;
  const scale = (value: number): string => ((value / largest) * room).toFixed(1);
  const bars = titles.map((name, i) => {
    const y = PANEL.title + i * (PANEL.bar + PANEL.gap);
    const middle = y + PANEL.bar / 2;
    const label = `<text x="${PANEL.name - 6}" y="${middle + 4}" text-anchor="end">${escaped(name)}</text>`;
    const found = values[i] ?? [];
    if (found.length === 0) return `${label}<text x="${PANEL.name}" y="${middle + 4}" fill="#888888">-</text>`;
    const spread = spreadOf(found);
    const at = `transform="translate(${PANEL.name} 0)"`;
    return [
      label,
      `<g ${at}><rect y="${y}" width="${scale(spread.median)}" height="${PANEL.bar}" fill="${COLOURS[i % COLOURS.length]}"/>`,
      `<line x1="${scale(spread.low)}" x2="${scale(spread.high)}" y1="${middle}" y2="${middle}" stroke="#222222"/>`,
      `<text x="${room + 6}" y="${middle + 4}">${escaped(formatSpread(spread))}</text></g>`,
    ].join("");
  });
  const arrow = better === "lower" ? ", less is better" : "";
  return `<text y="12" font-weight="bold">${escaped(`${title} (${unit}${arrow})`)}</text>${bars.join("")}`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
