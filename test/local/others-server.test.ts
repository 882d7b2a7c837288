import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { environmentsOf, openProject } from "../../src/project/read-project.ts";
import { factory, type Home, makeHome } from "../support/factory.ts";
import { anyPort, until } from "./world.ts";

// A project without a policy goes by the server that was started for its own folder, and never into that of another.

const answer = z.object({
  ok: z.boolean(),
  data: z
    .looseObject({ checks: z.array(z.looseObject({ id: z.string(), verdict: z.string(), found: z.string() })) })
    .partial()
    .optional(),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).optional(),
});
/** Stands where an MLflow server of a home would: who that is, the folder that it works in says. */
const LISTENER = `
require("node:http").createServer((q, r) => r.end("OK")).listen(Number(process.argv[1]), "127.0.0.1", () => console.log("up"))`;

let home: Home;
let mine = "";
let theirs = "";
const ends: (() => void)[] = [];

beforeAll(() => {
  home = makeHome();
  mine = join(home.folder, "mine");
  theirs = join(home.folder, "theirs");
  for (const folder of [mine, theirs]) {
    mkdirSync(join(folder, ".factory/local"), { recursive: true });
    const model = "model: { name: claims.triage, train: python train.py }";
    writeFileSync(join(folder, "factory.yaml"), `factory: 1\nproject: claims\n${model}\n`);
  }
});
afterEach(() => {
  for (const end of ends.splice(0)) end();
});
afterAll(() => home.remove());

async function listenFor(folder: string): Promise<number> {
  const port = await anyPort();
  const cwd = join(folder, ".factory/local");
  const child = spawn(process.execPath, ["-e", LISTENER, String(port)], { cwd, stdio: ["ignore", "pipe", "inherit"] });
  ends.push(() => child.kill("SIGKILL"));
  let up = false;
  child.stdout.on("data", () => {
    up = true;
  });
  await until(() => up);
  return port;
}
function record(folder: string, port: number | undefined): void {
  const process = port === undefined ? {} : { process: { port, phase: "running", at: "2026-01-01T00:00:00Z" } };
  const text = JSON.stringify({ v: 1, identity: "0123456789abcdef", mlflow: "3.17.2", ...process });
  writeFileSync(join(folder, ".factory/local/server.json"), text);
}
const run = async (...args: string[]) => {
  const ran = await factory([...args, "--json"], { cwd: mine, variables: home.variables });
  return { ...ran, ...answer.parse(JSON.parse(ran.stdout)) };
};
const addressOf = (folder: string) => environmentsOf(openProject(folder)).map(({ registry }) => registry);

describe("a project without a policy", () => {
  it("is on the server that was started for its folder, and at the default address when none was", () => {
    record(mine, 5299);
    expect(addressOf(mine)).toEqual([{ kind: "mlflow", uri: "http://127.0.0.1:5299" }]);
    record(mine, undefined);
    expect(addressOf(mine)).toEqual([{ kind: "mlflow", uri: "http://127.0.0.1:5210" }]);
    writeFileSync(join(mine, ".factory/local/server.json"), "no record");
    expect(addressOf(mine)).toEqual([{ kind: "mlflow", uri: "http://127.0.0.1:5210" }]);
  });

  it("writes nothing to the server of another folder, and says whose it is", { timeout: 60_000 }, async () => {
    const port = await listenFor(theirs);
    // What a crash leaves: the record of a server whose port another one has taken since.
    record(mine, port);
    const message = `what answers at http://127.0.0.1:${port} is the MLflow server of ${theirs}, not of this project`;
    for (const command of ["train", "register"]) {
      const refused = await run(command);
      expect([command, refused.status, refused.error?.code, refused.error?.message]).toEqual([
        ...[command, 4, "local.others", message],
      ]);
      expect(refused.error?.hint).toContain("factory local start --port N");
    }
    const looked = await run("doctor");
    expect(looked.status).toBe(3);
    expect(looked.data?.checks).toContainEqual(
      expect.objectContaining({ id: "registry.dev", verdict: "missing", found: message }),
    );
    const status = await run("status");
    expect([status.status, status.stderr]).toEqual([0, expect.stringContaining(message)]);
  });

  it("takes its own for its own", { timeout: 60_000 }, async () => {
    const port = await listenFor(mine);
    record(mine, port);
    const trained = await run("train");
    expect(trained.error?.code).not.toBe("local.others");
    const status = await run("status");
    expect([status.status, status.stderr]).toEqual([0, ""]);
  });
});
