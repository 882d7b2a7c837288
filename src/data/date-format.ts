/** Parts of the JDK's DateTimeFormatter patterns, which ODCS uses, and how strptime names them. */
const PARTS: readonly (readonly [string, string])[] = [
  ["yyyy", "%Y"],
  ["uuuu", "%Y"],
  ["yy", "%y"],
  ["MMMM", "%B"],
  ["MMM", "%b"],
  ["MM", "%m"],
  ["M", "%-m"],
  ["dd", "%d"],
  ["d", "%-d"],
  ["HH", "%H"],
  ["H", "%-H"],
  ["hh", "%I"],
  ["mm", "%M"],
  ["ss", "%S"],
  ["SSSSSS", "%f"],
  ["SSS", "%g"],
  ["a", "%p"],
  ["XXX", "%z"],
  ["Z", "%z"],
];

/** The strptime pattern for a JDK date pattern (`yyyy-MM-dd'T'HH:mm:ss`); undefined if a part of it is not known. */
export function datePattern(format: string): string | undefined {
  let out = "";
  for (let rest = format; rest !== ""; ) {
    const quoted = /^'((?:[^']|'')*)'/.exec(rest);
    const part = PARTS.find(([name]) => rest.startsWith(name));
    if (quoted !== null) {
      out += (quoted[1] === "" ? "'" : (quoted[1] ?? "").replaceAll("''", "'")).replaceAll("%", "%%");
      rest = rest.slice(quoted[0].length);
    } else if (part !== undefined) {
      out += part[1];
      rest = rest.slice(part[0].length);
      // `MMMMM` is another thing than `MMMM`: a part must not go on in its own letter.
      if (rest[0] === part[0][0]) return undefined;
    } else if (/^[A-Za-z%]/.test(rest)) {
      return undefined;
    } else {
      out += rest[0];
      rest = rest.slice(1);
    }
  }
  return out;
}
