import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../support/paths.ts";
import { trackedFiles } from "./tracked-files.ts";

/** A feature may import those above it. */
const FEATURES = [
  "policy",
  "project",
  "bundle",
  "ledger",
  "evidence",
  "contracts",
  "data",
  "gates",
  "people",
  "tickets",
  "registry",
  "training",
  "rules",
  "line",
  "promotion",
  "release",
  "deploy",
  "audit",
  "monitoring",
  "value",
  "scaffold",
  "local",
  "sandbox",
  "doctor",
  "check",
  "reports",
  "quickstart",
];
const LAYERS = ["lib", "cli", "clients", "commands"];
/** They put the real parts together. */
const COMPOSITION = ["main.ts", "clients.ts", "commands.ts"];

/** Schemas of files that a client keeps: the type of what is on disk, as a value. */
const SCHEMAS = ["local/server.ts", "sandbox/record.ts"];

interface Import {
  from: string;
  to: string;
  typeOnly: boolean;
}

const sources = trackedFiles("src").filter((path) => path.endsWith(".ts"));
const imports = sources.flatMap(importsOf);

function importsOf(path: string): Import[] {
  const text = readFileSync(join(root, path), "utf8");
  const found: Import[] = [];
  for (const match of text.matchAll(
    /^(?:import|export)\s+(type\s)?([^;"]*?)\s*from\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm,
  )) {
    const to = match[3] ?? match[4] ?? "";
    const target = to.startsWith(".") ? relative("src", join(dirname(path), to)) : to;
    found.push({
      from: relative("src", path),
      to: target,
      typeOnly: match[1] !== undefined || onlyTypes(match[2] ?? ""),
    });
  }
  return found;
}

/** `{ type A, type B }` asks for types only. */
function onlyTypes(clause: string): boolean {
  const names = /^\{([\s\S]*)\}$/
    .exec(clause.trim())?.[1]
    ?.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  return names !== undefined && names.length > 0 && names.every((name) => name.startsWith("type "));
}

function refusal({ from, to, typeOnly }: Import): string | undefined {
  const inside = from.split("/")[0] ?? "";
  const target = to.split("/")[0] ?? "";
  const outsidePackage = !sources.includes(join("src", to));
  if (outsidePackage || inside === target || COMPOSITION.includes(inside)) return undefined;
  if (COMPOSITION.includes(target)) return "only the program's entry puts the parts together";
  if (target === "lib") return undefined;
  const feature = FEATURES.indexOf(target);
  switch (inside) {
    case "lib":
      return "lib knows Node and libraries only";
    case "cli":
    case "clients":
      if (feature < 0) return `${inside} knows lib and the types of features only`;
      return typeOnly || SCHEMAS.includes(to) ? undefined : `${inside} may use types of features only`;
    case "commands":
      return target === "clients" ? "commands never know clients" : undefined;
    default:
      if (feature < 0) return "features never know cli, clients or commands";
      return feature < FEATURES.indexOf(inside) ? undefined : `${inside} stands above ${target}`;
  }
}

describe("imports", () => {
  test("every folder of src is a layer or a feature with its place in the order", () => {
    const folders = new Set(sources.map((path) => path.split("/")[1] ?? "").filter((name) => !name.endsWith(".ts")));
    expect([...folders].filter((name) => !FEATURES.includes(name) && !LAYERS.includes(name))).toEqual([]);
    expect(sources.length).toBeGreaterThan(50);
    expect(imports.length).toBeGreaterThan(sources.length);
  });

  test("each is allowed by the table of the design", () => {
    const refused = imports.flatMap((each) => {
      const why = refusal(each);
      return why === undefined ? [] : [`${each.from} → ${each.to}: ${why}`];
    });
    expect(refused).toEqual([]);
  });

  test("the table refuses what it should", () => {
    const cases: [string, string, boolean][] = [
      ["lib/files.ts", "policy/policy.ts", true],
      ["gates/lint.ts", "clients/git.ts", true],
      ["gates/lint.ts", "cli/style.ts", true],
      ["policy/policy.ts", "project/project.ts", true],
      ["cli/run.ts", "policy/read-policy.ts", false],
      ["clients/git.ts", "people/history.ts", false],
      ["commands/new.ts", "clients/git.ts", true],
      ["commands/new.ts", "clients.ts", true],
    ];
    expect(cases.filter(([from, to, typeOnly]) => refusal({ from, to, typeOnly }) === undefined)).toEqual([]);
  });

  test("heavy libraries stay out of the modules that every call loads", () => {
    const heavy = /^(?:zod|yaml|commander|@clack|liquidjs|@duckdb|execa|fast-xml-parser|tinyglobby)/;
    const seen = new Set<string>();
    const reached: string[] = [];
    const visit = (path: string): void => {
      if (seen.has(path)) return;
      seen.add(path);
      for (const each of staticImports(path)) {
        if (heavy.test(each)) reached.push(`${path} → ${each}`);
        else if (each.startsWith(".")) visit(relative("src", join("src", dirname(path), each)));
      }
    };
    for (const start of ["main.ts", "cli/run.ts", "cli/usages.ts", "clients.ts"]) visit(start);
    expect(reached).toEqual([]);
    expect(seen.size).toBeGreaterThan(8);
  });
});

function staticImports(path: string): string[] {
  const text = readFileSync(join(root, "src", path), "utf8");
  return [...text.matchAll(/^(?:import|export)\s+(?!type\s)(?:([^;"]*?)\s*from\s+)?"([^"]+)"/gm)]
    .filter((match) => !onlyTypes(match[1] ?? ""))
    .map((match) => match[2] ?? "");
}

test("what the benchmarks take from the sources is there", () => {
  const taken = trackedFiles("bench")
    .filter((path) => path.endsWith(".mjs"))
    .flatMap((path) => [...readFileSync(join(root, path), "utf8").matchAll(/export \{ (\w+) \} from "\.\/([^"]+)"/g)]);
  expect(taken.length).toBeGreaterThan(5);
  const missing = taken.filter(([, name = "", path = ""]) => {
    const text = existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : "";
    return !new RegExp(`^export (?:async )?(?:function|const|class) ${name}\\b`, "m").test(text);
  });
  expect(missing.map(([line]) => line)).toEqual([]);
});
