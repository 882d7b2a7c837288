// The program behind `factory sandbox start`: the fake workspace as a process of its own. One argument: the folder with sandbox.json.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../../src/lib/files.ts";
import { sandboxRecord } from "../../../src/sandbox/record.ts";
import { folderBlobs } from "./blobs.ts";
import { startWorkspace } from "./server.ts";
import { State } from "./state.ts";
import type { GrantOptions } from "./unity/settle.ts";

const SAVE_MS = 100;
const GRANT = /^(catalog|schema|volume) (\S+)$/;

const folder = process.argv[2] ?? "";
const parsed: unknown = JSON.parse(readFileSync(join(folder, "sandbox.json"), "utf8"));
const record = sandboxRecord.parse(parsed);
const saved = join(folder, "state", "sections");

const state = record.keep ? keptState() : new State();
let timer: NodeJS.Timeout | undefined;
const save = (): void => {
  clearTimeout(timer);
  timer = undefined;
  if (record.keep) writeFileAtomic(saved, state.bytes(), 0o600);
};

const starting = startWorkspace({
  port: record.process?.port ?? 0,
  state,
  identity: record.identity,
  principals: record.principals.map(({ name, applicationId, admin, token, clientSecret }) => ({
    ...{ name, token, admin: admin ?? false },
    ...(applicationId !== undefined && { applicationId }),
    ...(clientSecret !== undefined && { clientSecret }),
  })),
  catalogs: record.catalogs.map((name) => ({
    name,
    schemas: record.schemas.map((schema) => ({ name: schema, volumes: [record.volume] })),
  })),
  grants: record.grants.flatMap(grantOf),
  onChange: () => {
    timer ??= setTimeout(save, SAVE_MS);
  },
});
// Not awaited: the built program is CommonJS.
starting.then(({ url }) => {
  save();
  console.log(`a rehearsal workspace at ${url}; nothing of it is Databricks`);
});

const end = (): void => {
  save();
  process.exit(0);
};
process.on("SIGTERM", end);
process.on("SIGINT", end);

function keptState(): State {
  mkdirSync(join(folder, "state"), { recursive: true, mode: 0o700 });
  const blobs = folderBlobs(join(folder, "state", "blobs"));
  return existsSync(saved) ? State.from(readFileSync(saved), blobs) : new State(blobs);
}

function grantOf({ on, to, privileges }: { on: string; to: string; privileges: string[] }): GrantOptions[] {
  const [, kind, fullName = ""] = GRANT.exec(on) ?? [];
  if (kind !== "catalog" && kind !== "schema" && kind !== "volume") return [];
  return [{ on: `${kind} ${fullName}`, to, privileges }];
}
