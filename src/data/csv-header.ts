const DELIMITERS = [",", ";", "\t", "|"] as const;

/**
 * The column names of a CSV and what separates them; undefined if the header does not end within the text given, or
 * has a carriage return inside a name: the engine would take that for the end of lines and lose all rows.
 */
export function readHeader(start: string, whole: boolean): { names: string[]; delimiter: string } | undefined {
  const text = start.replace(/^\uFEFF/, "");
  const outside = text.replace(/"(?:[^"]|"")*"?/g, "").split(/[\r\n]/)[0] ?? "";
  const delimiter = DELIMITERS.find((candidate) => outside.includes(candidate)) ?? ",";
  const names: string[] = [];
  let at = 0;
  for (;;) {
    const quoted = text[at] === '"' ? /^"((?:[^"]|"")*)"/.exec(text.slice(at)) : null;
    if ((text[at] === '"' && quoted === null) || quoted?.[0].includes("\r") === true) return undefined;
    const plain = quoted === null ? fieldAt(text, at, delimiter) : "";
    names.push(quoted === null ? plain : (quoted[1] ?? "").replaceAll('""', '"'));
    at += quoted === null ? plain.length : quoted[0].length;
    if (text[at] === delimiter) {
      at++;
      continue;
    }
    if (at >= text.length) return whole ? { names, delimiter } : undefined;
    return text[at] === "\n" || text[at] === "\r" ? { names, delimiter } : undefined;
  }
}

function fieldAt(text: string, at: number, delimiter: string): string {
  let end = at;
  while (end < text.length && text[end] !== delimiter && text[end] !== "\n" && text[end] !== "\r") end++;
  return text.slice(at, end);
}
