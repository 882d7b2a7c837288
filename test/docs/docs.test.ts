import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { findCommand } from "../../src/cli/find-command.ts";
import { parseFlags } from "../../src/cli/flags.ts";
import { COMMANDS } from "../../src/commands.ts";
import { EXIT } from "../../src/lib/error.ts";
import { policySchema } from "../../src/policy/policy.ts";
import { commandWords, projectSchema } from "../../src/project/project.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const PAGES = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
].sort();

interface Text {
  prose: string[];
  code: string[];
}

/** A page's lines outside and inside of code fences. */
function split(markdown: string): Text {
  const text: Text = { prose: [], code: [] };
  let fenced = false;
  for (const line of markdown.split("\n")) {
    if (/^\s*```/.test(line)) fenced = !fenced;
    else (fenced ? text.code : text.prose).push(line);
  }
  return text;
}

function anchorsOf(markdown: string): string[] {
  return split(markdown)
    .prose.filter((line) => /^#{1,6} /.test(line))
    .map((line) =>
      line
        .replace(/^#+ /, "")
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    );
}

function deadLinks(page: string): string[] {
  const prose = split(read(page))
    .prose.join("\n")
    .replace(/`[^`\n]*`/g, "");
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)|\bsrc="([^"]+)"/g)].map((match) => match[1] ?? match[2] ?? "");
  return targets
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
    .filter((target) => {
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : relative(root, resolve(root, dirname(page), decodeURIComponent(path)));
      if (file.startsWith("..") || !existsSync(join(root, file))) return true;
      return anchor !== undefined && !anchorsOf(read(file)).includes(anchor);
    });
}

/** The `factory …` calls in a line of shell: what stands before comments, pipes and `&&` of their own. */
function callsIn(line: string): string[][] {
  return line
    .replace(/^\s*\$ /, "")
    .replace(/\s#.*$/, "")
    .split(/&&|\||;|>/)
    .map((part) => commandWords(part.trim()))
    .filter((words) => words[0] === "factory")
    .map((words) => words.slice(1));
}

const GLOBAL = ["--json", "--quiet", "--yes", "--debug", "--help"];

/** What is wrong with a call; `whole`: it must be a call that could be typed as it stands. */
async function problemOf(argv: readonly string[], whole: boolean): Promise<string | undefined> {
  if (argv.length === 0 || argv[0] === "--help" || argv[0] === "--version") return undefined;
  const found = findCommand(COMMANDS, argv);
  if (found === undefined) return "no such command";
  const command = await found.entry.load();
  if (!whole) {
    const flags = [
      ...GLOBAL,
      ...(command.writes ? ["--dry-run"] : []),
      ...(command.options ?? []).map((option) => option.flags),
    ];
    return found.rest.find((word) => word.startsWith("--") && !flags.some((flag) => flag.split(/[ ,]/)[0] === word));
  }
  try {
    const parsed = parseFlags(command, found.rest);
    if (parsed.kind === "run") command.input.parse(parsed.raw);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe("links", () => {
  it.each(PAGES)("%s leads somewhere", (page) => {
    expect(deadLinks(page)).toEqual([]);
  });

  it("every page of docs/ is reached from docs/README.md or its decisions", () => {
    const indexes = ["docs/README.md", "docs/decisions/README.md"];
    const reached = indexes.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#\s]+)/g)].map((match) => join(dirname(page), match[1] ?? "")),
    );
    const pages = PAGES.filter((page) => page.startsWith("docs/") && page !== "docs/README.md");
    expect(pages.filter((page) => !reached.includes(page))).toEqual([]);
  });
});

describe("command lines", () => {
  const blocks = PAGES.flatMap((page) =>
    split(read(page)).code.flatMap((line) => callsIn(line).map((argv) => ({ page, argv }))),
  );
  const inline = PAGES.flatMap((page) =>
    split(read(page)).prose.flatMap((line) =>
      [...line.matchAll(/`(factory [^`]+)`/g)].flatMap((match) =>
        callsIn(match[1] ?? "").map((argv) => ({ page, argv })),
      ),
    ),
  );

  it("are found", () => {
    expect(blocks.length).toBeGreaterThan(20);
    expect(inline.length).toBeGreaterThan(20);
  });

  it("in code blocks could be typed as they stand", async () => {
    const wrong = await Promise.all(
      blocks.map(async ({ page, argv }) => [page, argv.join(" "), await problemOf(argv, true)]),
    );
    expect(wrong.filter(([, , problem]) => problem !== undefined)).toEqual([]);
  });

  it("in sentences name commands and flags that exist", async () => {
    const wrong = await Promise.all(
      inline.map(async ({ page, argv }) => [page, argv.join(" "), await problemOf(argv, false)]),
    );
    expect(wrong.filter(([, , problem]) => problem !== undefined)).toEqual([]);
  });

  it.each([
    ["chek", "no such command"],
    ["check --watch", "unknown option '--watch'"],
    ["check --only dta", "Invalid option"],
    ["new", "missing required argument 'name'"],
  ])("the test itself refuses: factory %s", async (line, problem) => {
    expect(await problemOf(commandWords(line), true)).toContain(problem);
  });
});

describe("docs/commands.md", () => {
  const sections = new Map(
    read("docs/commands.md")
      .split(/^### factory /m)
      .slice(1)
      .map((section) => [section.split("\n", 1)[0] ?? "", section]),
  );

  it("has one section a command, in the order of the table", () => {
    expect([...sections.keys()]).toEqual(COMMANDS.map((entry) => entry.name));
  });

  it.each(COMMANDS.map((entry) => [entry.name, entry] as const))(
    "names every flag of %s and no other",
    async (name, entry) => {
      const command = await entry.load();
      const flags = [
        ...(command.options ?? []).map((option) => option.flags),
        ...(command.writes ? ["--dry-run"] : []),
      ];
      const section = (sections.get(name) ?? "").split(/^## /m)[0] ?? "";
      const named = [...section.matchAll(/`(--[^`]+)`/g)].map((match) => match[1]);
      expect([...new Set(named)].sort()).toEqual(flags.sort());
    },
  );
});

/** First cells of the tables under a heading, without backticks. */
function firstColumn(page: string, heading: string): string[] {
  const section = read(page).split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? "");
}

describe("dependencies", () => {
  const packages = z
    .object({ dependencies: z.record(z.string(), z.string()), devDependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read("package.json")));

  it("what is installed is what package.json says", () => {
    expect(firstColumn("docs/dependencies.md", "Installed").sort()).toEqual(Object.keys(packages.dependencies).sort());
  });

  it("the rest is bundled or for development", () => {
    const listed = ["Bundled", "Development only"].flatMap((heading) => firstColumn("docs/dependencies.md", heading));
    expect(listed.sort()).toEqual(Object.keys(packages.devDependencies).sort());
  });
});

describe("what is bundled", () => {
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => read(join("src", name)))
    .join("\n");
  const imported = (name: string) => sources.includes(`"${name}"`);

  it.each(firstColumn("docs/dependencies.md", "Bundled"))("%s is imported by the program", (name) => {
    expect(imported(name)).toBe(true);
  });

  it.each(firstColumn("docs/dependencies.md", "Development only"))("%s is not", (name) => {
    expect(imported(name)).toBe(false);
  });
});

describe("figures and keys", () => {
  it("docs/exit-statuses.md lists the statuses of the program", () => {
    const rows = [...read("docs/exit-statuses.md").matchAll(/^\| (\d+) \| `(\w+)` \|/gm)];
    expect(Object.fromEntries(rows.map(([, status, name]) => [name, Number(status)]))).toEqual(EXIT);
  });

  it.each(Object.keys(projectSchema.shape))("docs/factory-yaml.md explains %s", (key) => {
    expect(read("docs/factory-yaml.md")).toMatch(new RegExp(`^\\| \`${key}[.\`]`, "m"));
  });

  it.each(Object.keys(policySchema.shape))("docs/policy.md explains %s", (key) => {
    expect(read("docs/policy.md")).toMatch(new RegExp(`^\\| \`${key}\``, "m"));
  });
});
