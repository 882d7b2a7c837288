import { randomBytes, randomUUID } from "node:crypto";
import type { SandboxRecord } from "./record.ts";

/** The catalogs that `factory init` puts into a policy, and who works in each of them. */
const STAGES = [
  { catalog: "dev", who: "author" },
  { catalog: "test", who: "ci" },
  { catalog: "prod", who: "deployer" },
] as const;
const ADMIN = "admin@example.com";

/** What a sandbox consists of: three catalogs, three service principals with the least that each needs, and an admin. */
export function planSandbox(
  schemas: readonly string[],
  keep: boolean,
  before: SandboxRecord | undefined,
): Omit<SandboxRecord, "process"> {
  const known = new Map(keep && before?.keep === true ? before.principals.map((each) => [each.name, each]) : []);
  return {
    v: 1,
    identity: randomBytes(16).toString("hex"),
    keep,
    catalogs: STAGES.map((stage) => stage.catalog),
    schemas: [...schemas],
    volume: "factory_evidence",
    principals: [
      known.get(ADMIN) ?? { name: ADMIN, admin: true, token: newToken() },
      ...STAGES.map(
        ({ who }) =>
          known.get(who) ?? {
            name: who,
            applicationId: randomUUID(),
            token: newToken(),
            clientSecret: `dose${randomBytes(16).toString("hex")}`,
          },
      ),
    ],
    grants: STAGES.flatMap(({ catalog, who }) => [
      { on: `catalog ${catalog}`, to: who, privileges: ["USE_CATALOG"] },
      ...schemas.flatMap((schema) => [
        { on: `schema ${catalog}.${schema}`, to: who, privileges: ["USE_SCHEMA", "CREATE_MODEL"] },
        { on: `volume ${catalog}.${schema}.factory_evidence`, to: who, privileges: ["READ_VOLUME", "WRITE_VOLUME"] },
      ]),
    ]),
  };
}

const newToken = (): string => `dapi${randomBytes(16).toString("hex")}`;

/** Profiles as Databricks' own tools read them: one for each catalog, by client secret, and one for the admin, by token. */
export function profilesOf(record: Omit<SandboxRecord, "process">, url: string): string {
  const named = (name: string) => record.principals.find((each) => each.name === name);
  return [
    "# A rehearsal on this machine, made by `factory sandbox start`. Nothing of it is Databricks.",
    ...STAGES.flatMap(({ catalog, who }) => {
      const { applicationId = "", clientSecret = "" } = named(who) ?? {};
      return ["", `[${catalog}]`, `host = ${url}`, `client_id = ${applicationId}`, `client_secret = ${clientSecret}`];
    }),
    ...["", "[admin]", `host = ${url}`, `token = ${named(ADMIN)?.token ?? ""}`, ""],
  ].join("\n");
}

/** Profiles with who stands behind each, for people. */
export const PROFILES: readonly { profile: string; who: string }[] = [
  ...STAGES.map(({ catalog, who }) => ({ profile: catalog, who })),
  { profile: "admin", who: "admin" },
];
