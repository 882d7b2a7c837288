import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CatalogOptions, GrantOptions } from "../../fakes/workspace/unity/settle.ts";
import { root } from "../../support/paths.ts";

/** A block of the page that is marked as tried: `<!-- tried: author, project -->` before its fence. */
export interface Block {
  marks: string[];
  lines: string[];
}

/** Every block of docs/databricks.md that is marked, in its order. */
export function triedBlocks(): Block[] {
  const page = readFileSync(join(root, "docs/databricks.md"), "utf8");
  return [...page.matchAll(/^<!-- tried: ([^>]+) -->\n```\w+\n([\s\S]*?)\n```$/gm)].map(
    ([, marks = "", text = ""]) => ({
      marks: marks.split(", "),
      lines: text.split("\n"),
    }),
  );
}

/** How many times the page says that a block is tried, whatever its form. */
export function countOfMarks(): number {
  return readFileSync(join(root, "docs/databricks.md"), "utf8").split("<!-- tried:").length - 1;
}

/** Commands of the page that stand in no marked block. */
export function untriedCommands(): string[] {
  const page = readFileSync(join(root, "docs/databricks.md"), "utf8");
  return [...page.matchAll(/^([^\n]*)\n```sh\n([\s\S]*?)\n```$/gm)].flatMap(([, before = "", text = ""]) =>
    before.startsWith("<!-- tried:") ? [] : text.split("\n"),
  );
}

export interface Setup {
  catalogs: CatalogOptions[];
  grants: GrantOptions[];
  /** Each grant alone, as factory writes it. */
  statements: string[];
}

/** What statements of SQL ask for: things that are made, and privileges. A statement of another form throws. */
export function setupOf(lines: readonly string[]): Setup {
  const schemas = new Map<string, Map<string, string[]>>();
  const grants: GrantOptions[] = [];
  const statements: string[] = [];
  for (const line of lines) {
    const made = /^CREATE (CATALOG|SCHEMA|VOLUME) ([\w.]+);$/.exec(line);
    const given = /^GRANT ([A-Z ,]+) ON (CATALOG|SCHEMA|VOLUME|FUNCTION|TABLE) ([\w.]+) TO `([^`]+)`;$/.exec(line);
    if (made !== null) {
      const [catalog = "", schema, volume] = (made[2] ?? "").split(".");
      const inCatalog = schemas.get(catalog) ?? new Map<string, string[]>();
      schemas.set(catalog, inCatalog);
      if (schema !== undefined) inCatalog.set(schema, [...(inCatalog.get(schema) ?? []), ...(volume ? [volume] : [])]);
    } else if (given !== null) {
      const [, list = "", kind = "", name = "", to = ""] = given;
      for (const privilege of list.split(", ")) {
        grants.push({ on: onOf(kind, name), to, privileges: [privilege.replaceAll(" ", "_")] });
        statements.push(`GRANT ${privilege} ON ${kind} ${name} TO \`${to}\``);
      }
    } else throw new Error(`no statement that is understood: ${line}`);
  }
  const catalogs = [...schemas].map(([name, inside]) => ({
    name,
    schemas: [...inside].map(([schema, volumes]) => ({ name: schema, volumes })),
  }));
  return { catalogs, grants, statements };
}

function onOf(kind: string, name: string): GrantOptions["on"] {
  if (kind === "CATALOG") return `catalog ${name}`;
  if (kind === "SCHEMA") return `schema ${name}`;
  if (kind === "VOLUME") return `volume ${name}`;
  return kind === "TABLE" ? `table ${name}` : `function ${name}`;
}
