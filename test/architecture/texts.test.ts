import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/paths.ts";
import { trackedFiles } from "./tracked-files.ts";

const MAX_LINES = 300;
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const sources = trackedFiles("src").filter((path) => path.endsWith(".ts"));

/** Lines that match, as `path:line: text`. */
function linesWith(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    read(path)
      .split("\n")
      .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim().slice(0, 120)}`] : [])),
  );
}

test(`no source file is longer than ${MAX_LINES} lines`, () => {
  expect(sources.filter((path) => read(path).split("\n").length > MAX_LINES + 1)).toEqual([]);
});

test("only main.ts touches the global process", () => {
  const others = sources.filter((path) => path !== "src/main.ts");
  expect(linesWith(others, /(?<![\w$."'`/-])process\.(?:[a-z]+)\b(?![^"]*"\s*[,)])/i).filter(isCode)).toEqual([]);
});

function isCode(hit: string): boolean {
  const text = hit.replace(/^[^:]+:\d+: /, "");
  return !text.startsWith("*") && !text.startsWith("//") && !text.startsWith("/**");
}

test("types are never forced", () => {
  expect(linesWith(sources, /\bas any\b|: any\b(?!.*\*\/)|<any>|@ts-ignore|@ts-expect-error|@ts-nocheck/)).toEqual([]);
});

test("no word of unfinished work in what is shipped", () => {
  // These two speak about such words and about date patterns.
  const speaks = ["src/gates/docs.ts", "src/data/date-format.ts"];
  const texts = trackedFiles("templates").filter((path) => !path.endsWith(".csv"));
  const shipped = [...sources.filter((path) => !speaks.includes(path)), ...texts];
  expect(
    linesWith(shipped, /\b(?:TODO|FIXME|XXX|HACK|TBD|WIP)\b|\b(?:not implemented|lorem ipsum|placeholder text)\b/i),
  ).toEqual([]);
});

test("no path of one machine and no address of a package index in tracked files", () => {
  const texts = trackedFiles().filter(
    (path) => statSync(join(root, path)).size < 4 << 20 && !/\.(?:png|parquet|db|ico)$/.test(path),
  );
  expect(texts.length).toBeGreaterThan(100);
  // Spelled in parts, or this file would find itself.
  const hosts = [
    "files.pythonhosted" + ".org",
    "registry.npmjs" + ".org",
    "pypi" + ".org/simple",
    "registry.yarnpkg" + ".com",
  ];
  const pattern = new RegExp(
    `(?<![\\w.~$}])/(?:wo${"rk"}|ro${"ot"}|Us${"ers"})/\\w(?![\\w.-]*@)|${hosts.map((host) => host.replaceAll(".", "\\.")).join("|")}`,
  );
  expect(linesWith(texts, pattern)).toEqual([]);
});
