import type { ChalkInstance } from "chalk";

/** Colours and marks for text output; without colour the marks carry the meaning. */
export interface Style {
  width: number;
  ok(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

export const MARK = { pass: "✔", fail: "✖", error: "?", skipped: "–", note: "!" } as const;

/** A style with these colours, or plain. */
export function makeStyle(paint: ChalkInstance | false, width: number): Style {
  const same = (text: string): string => text;
  if (paint === false) return { width, ok: same, bad: same, warn: same, dim: same, bold: same };
  return { width, ok: paint.green, bad: paint.red, warn: paint.yellow, dim: paint.dim, bold: paint.bold };
}

/** Seconds as a person reads them: `0.4 s`, `12 s`, `2 min 05 s`. */
export function seconds(durationMs: number): string {
  const s = durationMs / 1000;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 59.5) return `${Math.round(s)} s`;
  const whole = Math.round(s);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** Whole numbers with thousands separators, always English. The locale machinery would cost 12 ms at its first use. */
export function count(n: number): string {
  return String(n).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** Left-aligned columns, two spaces apart, no trailing blanks. Cells must be without colour; `paint` colours a finished cell. */
export function table(
  rows: readonly (readonly string[])[],
  paint: (cell: string, row: number, column: number) => string = (cell) => cell,
): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, [...cell].length);
  }
  return rows
    .map((row, r) =>
      row
        .map((cell, c) => {
          const last = row.slice(c + 1).every((later) => later === "");
          const padding = last ? "" : " ".repeat((widths[c] ?? 0) - [...cell].length);
          return paint(cell, r, c) + padding;
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
