import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as z from "zod";
import type { Identity } from "./principals.ts";
import { type FakeWorkspace, startWorkspace } from "./server.ts";

const UC = "/api/2.1/unity-catalog";
const MLFLOW = "/api/2.0/mlflow/unity-catalog";
const NAME = "acme_dev.claims.triage";
const MLMODEL = 'signature:\n  inputs: \'[{"type": "double"}]\'\n  outputs: \'[{"type": "double"}]\'\n';
const loose = z.looseObject({});
const refusal = z.looseObject({ error_code: z.union([z.string(), z.number()]), message: z.string() });

describe("Unity Catalog in the fake workspace", () => {
  let workspace: FakeWorkspace;
  let ci: Identity;
  let deployer: Identity;

  beforeEach(async () => {
    workspace = await startWorkspace({
      catalogs: [{ name: "acme_dev", schemas: [{ name: "claims", volumes: ["evidence"] }] }],
      principals: [{ name: "ci" }, { name: "deployer" }],
      grants: [
        { on: "catalog acme_dev", to: "ci", privileges: ["USE_CATALOG"] },
        { on: "schema acme_dev.claims", to: "ci", privileges: ["USE_SCHEMA", "CREATE_MODEL"] },
      ],
    });
    ci = workspace.identity("ci");
    deployer = workspace.identity("deployer");
  });
  afterEach(() => workspace.stop());

  const ask = async (who: Identity, method: string, path: string, body?: object | string) => {
    const answer = await fetch(`${workspace.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${who.token}` },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const json: unknown = text.startsWith("{") ? JSON.parse(text) : {};
    return { status: answer.status, text, json: loose.parse(json) };
  };
  const refused = async (...call: Parameters<typeof ask>): Promise<[number, string | number, string]> => {
    const { status, json } = await ask(...call);
    const { error_code, message } = refusal.parse(json);
    return [status, error_code, message];
  };
  const makeModel = () => ask(ci, "POST", `${MLFLOW}/registered-models/create`, { name: NAME });
  const version = { name: NAME, version: "1" };
  const makeVersion = () => ask(ci, "POST", `${MLFLOW}/model-versions/create`, { name: NAME, source: "/tmp/x" });
  const fillVersion = () => ask(ci, "PUT", `/api/2.0/fs/files/Models/acme_dev/claims/triage/1/MLmodel`, MLMODEL);
  const finalize = () => ask(ci, "POST", `${MLFLOW}/model-versions/finalize`, version);
  const ready = async () => {
    await makeModel();
    await makeVersion();
    await fillVersion();
    expect((await finalize()).status).toBe(200);
  };

  it("needs a right for each step on the way, and says which", async () => {
    const create = (who: Identity) => refused(who, "POST", `${MLFLOW}/registered-models/create`, { name: NAME });
    expect(await create(deployer)).toEqual([
      403,
      "PERMISSION_DENIED",
      "User does not have USE CATALOG on Catalog 'acme_dev'.",
    ]);
    workspace.grant({ on: "catalog acme_dev", to: "deployer", privileges: ["USE_CATALOG"] });
    expect((await create(deployer))[2]).toContain("USE SCHEMA on Schema 'acme_dev.claims'");
    workspace.grant({ on: "schema acme_dev.claims", to: "deployer", privileges: ["USE_SCHEMA"] });
    expect((await create(deployer))[2]).toContain("CREATE MODEL or CREATE FUNCTION on Schema");
    await ready();
    const read = () => ask(deployer, "GET", `${UC}/models/${NAME}`);
    expect((await read()).status).toBe(403);
    workspace.grant({ on: `function ${NAME}`, to: "deployer", privileges: ["EXECUTE"] });
    expect((await read()).status).toBe(200);
    const alias = () => ask(deployer, "PUT", `${UC}/models/${NAME}/aliases/champion`, { version_num: 1 });
    expect((await alias()).status).toBe(403);
    expect((await ask(deployer, "POST", `${MLFLOW}/model-versions/create`, { name: NAME, source: "x" })).status).toBe(
      403,
    );
    const tag = () => ask(deployer, "POST", `${MLFLOW}/model-versions/set-tag`, { ...version, key: "a", value: "b" });
    expect((await tag()).status).toBe(403);
    workspace.grant({ on: `function ${NAME}`, to: "deployer", privileges: ["MANAGE", "CREATE_MODEL_VERSION"] });
    expect((await alias()).status).toBe(200);
    expect((await tag()).status).toBe(200);
    expect((await ask(deployer, "POST", `${MLFLOW}/model-versions/create`, { name: NAME, source: "x" })).status).toBe(
      200,
    );
  });

  it("keeps a version PENDING until it is finalized, and lets nobody write after", async () => {
    await makeModel();
    expect((await makeVersion()).json).toMatchObject({
      model_version: { version: "1", status: "PENDING_REGISTRATION" },
    });
    const alias = () => refused(ci, "PUT", `${UC}/models/${NAME}/aliases/champion`, { version_num: 1 });
    expect((await alias())[1]).toBe("INVALID_STATE");
    expect((await finalize()).text).toContain("no file MLmodel");
    await ask(ci, "PUT", "/api/2.0/fs/files/Models/acme_dev/claims/triage/1/MLmodel", "flavors: {}\n");
    expect((await finalize()).text).toContain("signature");
    expect((await fillVersion()).status).toBe(204);
    expect((await finalize()).json).toMatchObject({ model_version: { status: "READY" } });
    expect((await fillVersion()).status).toBe(403);
    expect((await finalize()).status).toBe(400);
    const credentials = { ...version, operation: "MODEL_VERSION_OPERATION_READ_WRITE" };
    expect((await ask(ci, "POST", `${MLFLOW}/model-versions/generate-temporary-credentials`, credentials)).status).toBe(
      403,
    );
    expect((await makeVersion()).json).toMatchObject({ model_version: { version: "2" } });
    expect((await ask(ci, "DELETE", `${UC}/models/${NAME}/versions/2`)).status).toBe(200);
    expect((await makeVersion()).json).toMatchObject({ model_version: { version: "3" } });
  });

  it("lower-cases names, has integer and string versions, and shows aliases only where asked", async () => {
    await ready();
    await ask(ci, "PUT", `${UC}/models/${NAME}/aliases/champion`, { version_num: 1 });
    expect((await ask(ci, "GET", `${UC}/models/Acme_Dev.Claims.TRIAGE`)).json).toMatchObject({ full_name: NAME });
    expect((await ask(ci, "GET", `${UC}/models/${NAME}`)).json).not.toHaveProperty("aliases");
    const whole = await ask(ci, "GET", `${UC}/models/${NAME}?include_aliases=true`);
    expect(whole.json).toMatchObject({ aliases: [{ alias_name: "champion", version_num: 1 }] });
    const list = await ask(ci, "GET", `${UC}/models/${NAME}/versions`);
    expect(list.json).toMatchObject({ model_versions: [{ version: 1, status: "READY" }] });
    expect(list.text).not.toContain("aliases");
    expect((await ask(ci, "GET", `${UC}/models/${NAME}/aliases/nobody`)).status).toBe(404);
    const search = (filter: string) =>
      ask(ci, "GET", `${MLFLOW}/model-versions/search?filter=${encodeURIComponent(filter)}`);
    expect((await search(`name='${NAME}'`)).json).toMatchObject({ model_versions: [{ version: "1" }] });
    expect((await search(`name='${NAME}' and run_id='x'`)).status).toBe(400);
    expect((await ask(ci, "GET", `${MLFLOW}/registered-models/search?filter=x`)).status).toBe(400);
  });

  it("refuses unknown fields, bad tags, names of two parts and what is there already", async () => {
    const create = (body: object) => refused(ci, "POST", `${MLFLOW}/registered-models/create`, body);
    expect((await create({ name: NAME, colour: "red" }))[1]).toBe("MALFORMED_REQUEST");
    expect((await create({ name: "claims.triage" }))[2]).toContain("specify all three levels");
    expect((await create({ name: NAME, tags: [{ key: "a.b", value: "" }] }))[2]).toContain("'a.b' is not valid");
    await makeModel();
    expect((await create({ name: NAME })).slice(0, 2)).toEqual([400, "RESOURCE_ALREADY_EXISTS"]);
    const parts = { catalog_name: "acme_dev", schema_name: "claims", name: "triage" };
    expect((await refused(ci, "POST", `${UC}/models`, parts)).slice(0, 2)).toEqual([409, "ALREADY_EXISTS"]);
    const both = { changes: [{ principal: deployer.clientId, add: ["EXECUTE"], remove: ["EXECUTE"] }] };
    expect((await ask(ci, "PATCH", `${UC}/permissions/function/${NAME}`, both)).status).toBe(400);
    const named = { changes: [{ principal: "deployer", add: ["EXECUTE"] }] };
    expect((await ask(ci, "PATCH", `${UC}/permissions/function/${NAME}`, named)).status).toBe(404);
  });

  it("keeps files in volumes: overwrite, ranges, pages, folders", async () => {
    const file = "/api/2.0/fs/files/Volumes/acme_dev/claims/evidence";
    const folder = "/api/2.0/fs/directories/Volumes/acme_dev/claims/evidence";
    expect(await ask(ci, "PUT", `${file}/a.txt`, "hello")).toMatchObject({ status: 403 });
    workspace.grant({ on: "volume acme_dev.claims.evidence", to: "ci", privileges: ["READ_VOLUME", "WRITE_VOLUME"] });
    expect((await ask(ci, "PUT", `${file}/a.txt?overwrite=false`, "hello")).status).toBe(204);
    expect((await ask(ci, "PUT", `${file}/a.txt?overwrite=false`, "bye")).status).toBe(409);
    expect((await ask(ci, "PUT", `${file}/a.txt`, "hello again")).status).toBe(204);
    expect((await ask(ci, "PUT", `${file}/a.txt/b`, "x")).status).toBe(409);
    expect((await ask(ci, "PUT", `${file}/x%2F..%2Fy`, "x")).status).toBe(400);
    const range = await fetch(`${workspace.url}${file}/a.txt`, {
      headers: { authorization: `Bearer ${ci.token}`, range: "bytes=6-" },
    });
    expect([range.status, await range.text(), range.headers.get("content-range")]).toEqual([
      206,
      "again",
      "bytes 6-10/11",
    ]);
    for (const name of ["b", "c"]) await ask(ci, "PUT", `${file}/deep/${name}`, name);
    const first = await ask(ci, "GET", `${folder}/deep?page_size=1`);
    expect(first.json).toMatchObject({ contents: [{ name: "b", is_directory: false, file_size: 1 }] });
    const next = await ask(ci, "GET", `${folder}/deep?page_size=1&page_token=${first.json.next_page_token}`);
    expect(next.json).toMatchObject({ contents: [{ name: "c" }] });
    expect(next.json).not.toHaveProperty("next_page_token");
    expect((await ask(ci, "DELETE", `${folder}/deep`)).status).toBe(400);
    expect((await ask(ci, "PUT", `${folder}/new/er`)).status).toBe(204);
    expect((await ask(ci, "HEAD", `${folder}/new/er`)).status).toBe(200);
    expect((await ask(ci, "DELETE", `${folder}/new/er`)).status).toBe(204);
    const head = await ask(ci, "HEAD", `${file}/nothing`);
    expect([head.status, head.text]).toEqual([404, ""]);
  });

  it("loses a reply after the effect, and shows a write late, when it is told", async () => {
    workspace.fault({ kind: "reset", when: "after", route: "registered-models/create" });
    await expect(makeModel()).rejects.toThrow();
    expect((await ask(ci, "GET", `${UC}/models/${NAME}`)).status).toBe(200);
    workspace.fault({ kind: "status", status: 504, when: "after", route: "model-versions/create" });
    expect((await makeVersion()).status).toBe(504);
    await fillVersion();
    await finalize();
    const champion = () => ask(ci, "GET", `${UC}/models/${NAME}/aliases/champion`);
    workspace.fault({ kind: "stale", route: "PUT", reads: 2, readRoute: "/aliases/" });
    expect((await ask(ci, "PUT", `${UC}/models/${NAME}/aliases/champion`, { version_num: 1 })).status).toBe(200);
    expect([(await champion()).status, (await champion()).status, (await champion()).status]).toEqual([404, 404, 200]);
    expect(workspace.asked("model-versions/create").map((each) => [each.status, each.acted])).toEqual([[504, true]]);
  });
});
