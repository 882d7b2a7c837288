import * as z from "zod";
import type { Contract, ContractTable } from "../contracts/contract.ts";
import { canBeNamed } from "../lib/databricks-sql.ts";
import { usageError } from "../lib/error.ts";
import { sha256 } from "../lib/hash.ts";

const servers = z.array(z.looseObject({ type: z.string().optional(), schema: z.string().optional() }).catch({}));

/**
 * Where a contract's table lies in an environment: that environment's catalog, always; the schema that `physicalName` gives, else
 * the one that the contract's servers of type databricks agree on, else the model's; the last part of `physicalName`, else the name.
 */
export function tableName(
  contract: Contract,
  table: ContractTable,
  place: { catalog: string; schema: string },
): [catalog: string, schema: string, table: string] {
  const parts = table.physicalName === undefined ? [table.name] : nameParts(table.physicalName);
  const refuse = (why: string) =>
    usageError(
      "data.table",
      `${contract.file}: the table ${JSON.stringify(table.physicalName ?? table.name)} ${why}`,
      HINT,
    );
  if (parts === undefined || parts.length > 3) throw refuse("is no name of a table");
  const [catalog, schema, name] = [undefined, undefined, ...parts].slice(-3);
  if (catalog !== undefined && catalog !== place.catalog)
    throw refuse(`names the catalog ${catalog}, and this environment's is ${place.catalog}`);
  const whole: [string, string, string] = [place.catalog, schema ?? serverSchema(contract) ?? place.schema, name ?? ""];
  const bad = whole.find((part) => !canBeNamed(part));
  if (bad !== undefined) throw refuse(`holds the name ${JSON.stringify(bad)}, which no statement can name`);
  return whole;
}

const HINT = "write physicalName as table or schema.table; the catalog is the environment's, from policy.yaml";

/** The parts of `schema.table`; a part in backticks may hold dots, and backticks doubled. */
function nameParts(text: string): string[] | undefined {
  const parts: string[] = [];
  let rest = text;
  for (;;) {
    const part = /^(?:`((?:[^`]|``)+)`|([^`.]+))(\.|$)/.exec(rest);
    if (part === null) return undefined;
    parts.push(part[1]?.replaceAll("``", "`") ?? part[2] ?? "");
    if (part[3] === "") return parts;
    rest = rest.slice(part[0].length);
  }
}

function serverSchema(contract: Contract): string | undefined {
  const found = servers.safeParse(contract.document.servers);
  const named = (found.success ? found.data : []).flatMap(({ type, schema }) =>
    type === "databricks" && schema !== undefined ? [schema] : [],
  );
  return new Set(named).size === 1 ? named[0] : undefined;
}

/** What a table of a warehouse is called beside the paths of files: in evidence, and in the tags of a run. */
export const TABLE_PREFIX = "warehouse/";

/** A table in the evidence: its path, and a digest that says its name and its version. The rows are not hashed. */
export function tableIdentity(name: string, version: number): { path: string; sha256: string } {
  return { path: `${TABLE_PREFIX}${name}`, sha256: sha256(`delta:${name}@${version}`) };
}
