/**
 * The patterns of `include`, as the Databricks CLI matches them: `*` and `?` stay inside one folder, `[a-z]` is a set, and `**` is
 * no more than `*`.
 */
export function isPattern(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

/** Undefined: it is no pattern that could be matched. */
export function matcher(pattern: string): ((path: string) => boolean) | undefined {
  const plain = pattern.replace(/^(?:\.\/)+/, "");
  let source = "";
  for (let i = 0; i < plain.length; i++) {
    const sign = plain[i] ?? "";
    if (sign === "*") source += "[^/]*";
    else if (sign === "?") source += "[^/]";
    else if (sign === "[") {
      const end = plain.indexOf("]", i + 2);
      if (end < 0) return undefined;
      const set = plain.slice(i + 1, end).replace(/\\/g, "\\\\");
      source += `[${set.startsWith("^") ? `^/${set.slice(1)}` : set}]`;
      i = end;
    } else source += sign.replace(/[\\^$.|+(){}]/g, "\\$&");
  }
  try {
    const expression = new RegExp(`^${source}$`);
    return (path) => expression.test(path);
  } catch {
    return undefined;
  }
}

/** The path that `relative` names when it stands in `file`; undefined when it leads out of the bundle's folder. */
export function pathFrom(file: string, relative: string): string | undefined {
  const parts = file.split("/").slice(0, -1);
  for (const part of relative.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}
