import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FakeWorkspace, startWorkspace, type WorkspaceOptions } from "../../fakes/workspace/server.ts";
import { quickPython } from "../../support/mlflow-server.ts";
import { type LineWish, makeLine, type SmallLine } from "../../support/small-line.ts";

export const SCHEMA = "claims";
export const ENVIRONMENTS = ["dev", "test", "prod"] as const;
type Places = readonly (typeof ENVIRONMENTS)[number][];
const AFTER_THE_FIRST: Places = ["test", "prod"];

/** Catalogs (two, unless all are named), each with an identity of its own that writes to it, and somebody who reads them. */
export function startCatalogs(
  options: Partial<WorkspaceOptions> = {},
  places: Places = AFTER_THE_FIRST,
): Promise<FakeWorkspace> {
  return startWorkspace({
    principals: [...places.map((name) => ({ name: `factory-${name}` })), { name: "reader@example.com" }],
    catalogs: places.map((name) => ({
      name: `acme_${name}`,
      schemas: [{ name: SCHEMA, volumes: ["factory_evidence"] }],
    })),
    grants: places.flatMap((name) => {
      const to = `factory-${name}`;
      const read = ["USE_CATALOG", "USE_SCHEMA", "EXECUTE", "READ_VOLUME"];
      return [
        { on: `catalog acme_${name}` as const, to: "reader@example.com", privileges: read },
        { on: `catalog acme_${name}` as const, to, privileges: ["USE_CATALOG"] },
        { on: `schema acme_${name}.${SCHEMA}` as const, to, privileges: ["USE_SCHEMA", "CREATE_MODEL"] },
        {
          on: `volume acme_${name}.${SCHEMA}.factory_evidence` as const,
          to,
          privileges: ["READ_VOLUME", "WRITE_VOLUME"],
        },
      ];
    }),
    ...options,
  });
}

/** A line whose first environment is an MLflow server, unless it is among `places`, and whose others are catalogs. `host`: where the workspace is reached. */
export async function unityLine(
  server: { uri: string },
  fake: FakeWorkspace,
  host = fake.url,
  wish: LineWish = {},
  places: Places = AFTER_THE_FIRST,
): Promise<SmallLine> {
  const line = makeLine(server, {
    ...wish,
    variables: { XDG_DATA_HOME: await quickPython(), ...wish.variables },
    signed: true,
    policy(policy, people) {
      for (const environment of policy.environments) {
        if (!places.some((name) => name === environment.name)) continue;
        environment.catalog = `acme_${environment.name}`;
        environment.registry = { kind: "unity-catalog", profile: environment.name };
      }
      wish.policy?.(policy, people);
    },
  });
  for (const [name, { home }] of Object.entries(line.people)) {
    // Who only reads has other credentials than the pipeline.
    const profiles = places.map((each) => {
      const { token } = fake.identity(name === "ci" ? `factory-${each}` : "reader@example.com");
      return `[${each}]\nhost = ${host}\ntoken = ${token}\n`;
    });
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, ".databrickscfg"), profiles.join("\n"), { mode: 0o600 });
  }
  return line;
}
