import { isUtf8 } from "node:buffer";
import { readZip } from "../lib/zip.ts";

/** Where a member of a wheel lies in the project: below `src/`, or beside it. */
const ROOTS = ["src/", ""];

/** What installers read of a wheel line by line. Some disks tell no upper from lower case. */
const LINE_WISE = /^(?:metadata|entry_points\.txt|wheel|record|top_level\.txt)$/;
/** Ends of a line to Python's `splitlines()` beside those of the files themselves: what is a comment here, would be a command there. */
// biome-ignore lint/complexity/useRegexLiterals: a literal would hold control characters
const OTHER_LINE_END = new RegExp("[\\u000b\\u000c\\u001c-\\u001e\\u0085\\u2028\\u2029]");

/** Texts of the commit. */
export interface Declared {
  pyproject: string;
  /** uv.lock; undefined: there is none. */
  lock: string | undefined;
}

/**
 * What a wheel would install that the commit does not hold: files, packages that come with it, commands. Runs and builds nothing,
 * so what a build would generate is not known here. Throws exit 2 when it is no archive that can be read in one way only. Pure.
 */
export function strangeInWheel(
  wheel: Buffer,
  isHeld: (path: string, bytes: Buffer) => boolean,
  { pyproject, lock }: Declared,
  where: string,
): string[] {
  const strange: string[] = [];
  const abouts = new Set<string>();
  for (const { name, content } of readZip(wheel)) {
    const about = /^([^/]+\.dist-info)\/(.+)$/.exec(name);
    if (about === null) {
      if (!ROOTS.some((root) => isHeld(`${root}${name}`, content)))
        strange.push(
          `${name} of the wheel is not what ${where} below src/ or beside it: check again; what a build makes or moves must be committed in its place, or stay out of the wheel`,
        );
      continue;
    }
    abouts.add(about[1] ?? "");
    const file = (about[2] ?? "").toLowerCase();
    const text = content.toString("utf8");
    const ambiguous = LINE_WISE.test(file) ? otherLines(file, content, text) : undefined;
    if (ambiguous !== undefined) {
      strange.push(`${about[2]} of the wheel ${ambiguous}`);
      continue;
    }
    const undeclared = [
      ...(file === "metadata" ? strangeRequirements(text, pyproject, lock) : []),
      ...(file === "entry_points.txt" ? strangeCommands(text, pyproject) : []),
    ];
    const source = `pyproject.toml${lock === undefined ? "" : " and uv.lock"} as ${where} them`;
    strange.push(
      ...undeclared.map(
        (what) => `the wheel asks for ${what}, which is not in ${source}: check again, or write it there`,
      ),
    );
  }
  return abouts.size === 1
    ? strange
    : [...strange, `the wheel holds ${abouts.size} folders *.dist-info, and one is needed`];
}

/** Why a file could be read as other lines than the ones that are compared here; undefined: it could not. */
function otherLines(file: string, content: Buffer, text: string): string | undefined {
  if (!isUtf8(content)) return "is no UTF-8: build the wheel again with a tool that writes UTF-8";
  // Below its first empty line METADATA is the project's readme, in which nothing is looked up.
  const [read = ""] = file === "metadata" ? text.split(/\n\r?\n/, 1) : [text];
  const [found] = OTHER_LINE_END.exec(read) ?? [];
  if (found === undefined) return undefined;
  const code = found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
  return `holds U+${code}, at which some installers end a line: take it out of pyproject.toml, build and check again`;
}

/**
 * Packages that an installer would bring. Each is a text in pyproject.toml, there or in the wheel perhaps with a marker, spaces or another
 * order; and since not every text there is a package, one that was locked.
 */
function strangeRequirements(metadata: string, pyproject: string, lock: string | undefined): string[] {
  const declared = new Set([...pyproject.matchAll(/"([^"\n]*)"|'([^'\n]*)'/g)].map(([, a, b]) => plain(a ?? b ?? "")));
  const unfolded = metadata.replace(/(?:\r\n|\r|\n)[ \t]+/g, " ");
  return [...unfolded.matchAll(/(?:^|[\r\n])Requires-Dist[ \t]*:([^\r\n]*)/gi)].flatMap(([, said = ""]) => {
    const [name] = plain(said).split(" ", 1);
    const isLocked = lock === undefined || lock.includes(`\nname = "${name}"\n`);
    return isLocked && declared.has(plain(said)) ? [] : [`the package ${said.trim()}`];
  });
}

/** A requirement without its marker, by which it could only be left out; an address has no end that would show, so it stays whole. */
function plain(requirement: string): string {
  const [what = ""] = requirement.includes("@") ? [requirement.replaceAll("'", '"')] : requirement.split(";", 1);
  const [, name = "", extras = "", limits = ""] = /^([\w.-]+)(\[.*?\])?(.*)$/.exec(what.replace(/[\s()]/g, "")) ?? [];
  const sorted = (list: string) => list.split(",").sort().join(",");
  return `${name.toLowerCase().replace(/[-_.]+/g, "-")} ${sorted(extras.replace(/[[\]]/g, ""))} ${sorted(limits)}`;
}

/** Commands, which jobs start by name. */
function strangeCommands(text: string, pyproject: string): string[] {
  const tight = (name: string, target: string) => `${name.trim()} = ${target.replace(/\s/g, "")}`;
  const pairs = [...pyproject.matchAll(/["']?([\w.-]+)["']?\s*=\s*["']([^"'\n]*)["']/g)];
  const declared = new Set(pairs.map(([, name = "", target = ""]) => tight(name, target)));
  return text.split(/[\r\n]+/).flatMap((line) => {
    if (/^\s*(?:#.*|\[[^\]]*\]\s*)?$/.test(line)) return [];
    const [name = "", ...target] = line.split("=");
    const command = tight(name, target.join("="));
    return declared.has(command) ? [] : [`the command ${command}`];
  });
}
