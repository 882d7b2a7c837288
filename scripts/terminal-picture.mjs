// Draws a captured terminal session as an SVG: node scripts/terminal-picture.mjs CAPTURE OUT.svg [--title TEXT] [--drop REGEXP]
// CAPTURE is what `script -qc COMMAND CAPTURE` wrote, colours included. What the terminal overwrote (spinners) is gone from the
// picture as it was from the screen; nothing is added. --drop leaves out lines that match.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

const FONT_SIZE = 13;
const CELL_WIDTH = 7.83;
const LINE_HEIGHT = 19;
const PADDING = 18;
const BAR = 34;
const COLOURS = { 31: "#ff7b72", 32: "#56d364", 33: "#e3b341", 36: "#76e3ea" };
const PLAIN = "#e6edf3";
const DIM = "#8b949e";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { title: { type: "string", default: "" }, drop: { type: "string" } },
});
const [capture, out] = positionals;
if (capture === undefined || out === undefined) {
  process.stderr.write("usage: node scripts/terminal-picture.mjs CAPTURE OUT.svg [--title TEXT] [--drop REGEXP]\n");
  process.exit(2);
}
const drop = values.drop === undefined ? undefined : new RegExp(values.drop);
const lines = screenOf(readFileSync(capture, "utf8")).filter((runs) => drop === undefined || !drop.test(textOf(runs)));
while (lines.length > 0 && textOf(lines[0]).trim() === "") lines.shift();
while (lines.length > 0 && textOf(lines.at(-1)).trim() === "") lines.pop();
writeFileSync(out, drawing(lines, values.title));

/** What stays on the screen: one list of styled runs for each line. Knows colours, carriage return and "erase line". */
function screenOf(text) {
  const body = text.replace(/^Script started[^\n]*\n/, "").replace(/\n?Script done[^\n]*\n?$/, "");
  const lines = [[]];
  let column = 0;
  let style = {};
  const ESC = String.fromCharCode(27);
  const token = new RegExp(`${ESC}\\[([0-9;?]*)([A-Za-z])|${ESC}[()][A-Z0-9]|(\\n|\\r|.)`, "gu");
  for (const [, parameters = "", final, char] of body.matchAll(token)) {
    const line = lines.at(-1);
    if (final === "m") style = styled(style, parameters);
    else if (final === "K") line.length = parameters === "2" ? 0 : Math.min(line.length, column);
    else if (char === "\n") {
      lines.push([]);
      column = 0;
    } else if (char === "\r") column = 0;
    else if (char !== undefined && char >= " ") {
      while (line.length < column) line.push({ char: " ", style: {} });
      line[column++] = { char, style };
    }
  }
  return lines.map(runsOf);
}

function styled(style, parameters) {
  let next = style;
  for (const code of parameters.split(";").map(Number)) {
    if (code === 0) next = {};
    else if (code === 1) next = { ...next, bold: true };
    else if (code === 2) next = { ...next, dim: true };
    else if (code === 22) next = { ...next, bold: false, dim: false };
    else if (code === 39) next = { ...next, colour: undefined };
    else if (code in COLOURS) next = { ...next, colour: COLOURS[code] };
  }
  return next;
}

function runsOf(cells) {
  const runs = [];
  cells.forEach(({ char, style }, column) => {
    const last = runs.at(-1);
    if (last !== undefined && last.style === style) last.text += char;
    else runs.push({ column, text: char, style });
  });
  return runs;
}

function textOf(runs) {
  return runs.map((run) => run.text).join("");
}

function drawing(rows, title) {
  const columns = Math.max(60, ...rows.map((runs) => Array.from(textOf(runs)).length));
  const width = Math.ceil(columns * CELL_WIDTH + 2 * PADDING);
  const height = BAR + rows.length * LINE_HEIGHT + PADDING;
  const texts = rows.flatMap((runs, row) =>
    runs.flatMap(({ column, text, style }) => {
      if (text.trim() === "") return [];
      // Each run is set to the width of its cells, so that columns stand under each other in every font.
      const lead = text.length - text.trimStart().length;
      const shown = text.trim();
      const x = (PADDING + (column + lead) * CELL_WIDTH).toFixed(1);
      const y = BAR + (row + 0.75) * LINE_HEIGHT;
      const fill = style.colour ?? (style.dim ? DIM : PLAIN);
      const weight = style.bold ? ' font-weight="700"' : "";
      const length = (Array.from(shown).length * CELL_WIDTH).toFixed(1);
      return [
        `<text x="${x}" y="${y}" fill="${fill}"${weight} textLength="${length}" lengthAdjust="spacingAndGlyphs">${escaped(shown)}</text>`,
      ];
    }),
  );
  const dots = ["#ff5f57", "#febc2e", "#28c840"].map(
    (fill, i) => `<circle cx="${PADDING + 2 + i * 18}" cy="17" r="5.5" fill="${fill}"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title || "terminal")}">`,
    `<title>${escaped(title || "terminal")}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
    ...dots,
    `<text x="${width / 2}" y="21" fill="${DIM}" text-anchor="middle" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="12">${escaped(title)}</text>`,
    `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="${FONT_SIZE}" xml:space="preserve">`,
    ...texts,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

function escaped(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}
