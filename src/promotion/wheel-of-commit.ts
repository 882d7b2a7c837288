import { readZip } from "../lib/zip.ts";

/** Where a member of a wheel lies in the project: below `src/`, or beside it. */
const ROOTS = ["src/", ""];

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
    const text = content.toString("utf8");
    const undeclared = [
      ...(about[2] === "METADATA" ? strangeRequirements(text, pyproject, lock) : []),
      ...(about[2] === "entry_points.txt" ? strangeCommands(text, pyproject) : []),
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
