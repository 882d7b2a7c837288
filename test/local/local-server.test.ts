import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { MARK } from "../../src/clients/server-processes.ts";
import { factory, type Home, makeHome } from "../support/factory.ts";
import { anyPort, bystander, listenOn, Place, until } from "./world.ts";

let home: Home;
const places: Place[] = [];
const place = (name: string): Place => {
  const made = new Place(home, name);
  places.push(made);
  return made;
};
beforeAll(() => {
  home = makeHome();
});
afterEach(async () => {
  for (const each of places.splice(0)) {
    await each.run("local", "stop");
    expect(each.processes(), "no process is left").toEqual([]);
  }
});
afterAll(() => home.remove());

describe("the local server", () => {
  it("is started once by two starts at once, answers, and stops whole", async () => {
    const here = place("a life?b#c%20d é");
    const port = await anyPort();
    const before = await here.run("local", "status");
    expect(before).toMatchObject({ status: 3, ok: false, data: { state: "stopped" } });

    // Modules that the server looks for by name: a repository may hold files of that name where the server works.
    mkdirSync(here.state, { recursive: true });
    for (const name of ["uvloop", "httptools"]) {
      const code = `open("${name}.ran", "w").close()\nraise ImportError("none")\n`;
      writeFileSync(join(here.state, `${name}.py`), code);
    }
    const [one, two] = await Promise.all([1, 2].map(() => here.run("local", "start", "--port", String(port))));
    expect([one?.status, two?.status]).toEqual([0, 0]);
    expect([one?.data.started, two?.data.started].sort()).toEqual([false, true]);
    expect(one?.data.uri).toBe(`http://127.0.0.1:${port}`);
    expect(here.processes()).toContain(Number(one?.data.pid));

    const status = await here.run("local", "status");
    expect(status).toMatchObject({ status: 0, data: { state: "running", port, pid: one?.data.pid } });
    const health = await fetch(`http://127.0.0.1:${port}/health`);
    expect(await health.text()).toBe("OK");
    expect(readdirSync(here.state).filter((name) => name.endsWith(".ran"))).toEqual([]);
    const experiment: unknown = await (
      await fetch(`http://127.0.0.1:${port}/api/2.0/mlflow/experiments/get?experiment_id=0`)
    ).json();
    expect(JSON.stringify(experiment)).toContain(here.record()?.identity);

    const again = await here.run("local", "start");
    expect(again).toMatchObject({ status: 0, data: { started: false, port } });
    const elsewhere = await here.run("local", "start", "--port", String(await anyPort()));
    expect(elsewhere).toMatchObject({ status: 2, error: { code: "local.other-port" } });

    const stop = await here.run("local", "stop");
    expect(stop.status).toBe(0);
    expect(Number(stop.data.ended)).toBeGreaterThanOrEqual(1);
    expect(here.processes()).toEqual([]);
    await expect(fetch(`http://127.0.0.1:${port}/health`)).rejects.toThrow();
    expect(await here.run("local", "stop")).toMatchObject({ status: 0, data: { ended: 0 } });
    expect((await here.run("local", "status")).data.state).toBe("stopped");
    const slip = ["local", "stop", "--dir", join(here.folder, "not there")];
    const told = await factory(slip, { cwd: here.folder, variables: home.variables });
    expect([told.status, told.stderr]).toEqual([2, expect.stringContaining("there is no folder")]);
  });

  it("survives kill -9 of its main process and of all of it; a newer MLflow gets a copied database, an older one is refused", async () => {
    const here = place("killed");
    const port = await anyPort();
    const first = await here.run("local", "start", "--port", String(port));
    expect(first.status).toBe(0);
    // A process that the server had started, and that outlives it.
    const marked = { PATH: process.env.PATH ?? "", [MARK]: here.record()?.identity ?? "" };
    spawn("sleep", ["600"], { cwd: here.state, env: marked, stdio: "ignore" });
    await until(() => here.processes().length === 2);
    process.kill(Number(first.data.pid), "SIGKILL");
    await until(() => !here.processes().includes(Number(first.data.pid)));
    const half = await here.run("local", "status");
    expect(half).toMatchObject({ status: 3, data: { state: "crashed" } });
    expect(half.data.message).toMatch(/main process \d+ is gone; 1 process of it still runs/);

    for (const pid of here.processes()) process.kill(pid, "SIGKILL");
    await until(() => here.processes().length === 0);
    const dead = await here.run("local", "status");
    expect(dead).toMatchObject({ status: 3, data: { state: "crashed", processes: [] } });

    here.edit((record) => ({ ...record, mlflow: "99.1.0" }));
    const digest = sha256(join(here.state, "mlflow.db"));
    const refused = await here.run("local", "start", "--port", String(port));
    expect(refused).toMatchObject({ status: 2, error: { code: "local.newer-database" } });
    expect(sha256(join(here.state, "mlflow.db"))).toBe(digest);
    expect(here.processes()).toEqual([]);

    here.edit((record) => ({ ...record, mlflow: "3.5.1" }));
    const orphan = join(here.state, "artifacts/7/models/.artifact.uploading.abc123");
    mkdirSync(join(orphan, ".."), { recursive: true });
    writeFileSync(orphan, "half");
    const started = await here.run("local", "start", "--port", String(port));
    expect(started).toMatchObject({ status: 0, data: { started: true } });
    expect(String(started.data.backup)).toContain("mlflow-3.5.1-");
    expect(sha256(String(started.data.backup))).toBe(digest);
    expect(existsSync(orphan)).toBe(false);
    expect(here.record()?.mlflow).toBe(started.data.mlflow);
    expect(readdirSync(join(here.state, "backups"))).toHaveLength(1);
  });

  it("recovers when factory is killed while it starts the server, and when both are", async () => {
    const here = place("cut-off");
    const port = await anyPort();
    const first = await here.beginStart(port);
    const during = await here.run("local", "status");
    expect(during).toMatchObject({ status: 3, data: { state: "starting" } });
    first.kill("SIGKILL");
    await first.done;
    expect(here.processes().length).toBeGreaterThan(0);
    const orphaned = await here.run("local", "status");
    expect(orphaned).toMatchObject({ status: 3, data: { state: "crashed" } });
    expect(orphaned.data.message).toContain("a start of the server was cut off");
    const orphan = here.record()?.process?.pid;

    // A start takes over the dead one's lock, ends what it left, and is killed in turn, together with its server.
    const second = await here.beginStart(port).then(async (begun) => {
      await until(() => here.record()?.process?.pid !== undefined && here.record()?.process?.pid !== orphan);
      return begun;
    });
    expect(here.processes()).not.toContain(orphan);
    second.kill("SIGKILL");
    await second.done;
    for (const pid of here.processes()) process.kill(pid, "SIGKILL");
    await until(() => here.processes().length === 0);
    expect((await here.run("local", "status")).data).toMatchObject({ state: "crashed", processes: [] });

    const third = await here.run("local", "start", "--port", String(port));
    expect(third).toMatchObject({ status: 0, data: { started: true } });
    expect((await here.run("local", "status")).data.state).toBe("running");
  });

  it("leaves nothing when the start is interrupted", async () => {
    const here = place("interrupted");
    const begun = await here.beginStart(await anyPort());
    begun.kill("SIGINT");
    const ended = await begun.done;
    expect(ended).toMatchObject({ status: 130, error: { code: "interrupted" } });
    expect(here.processes()).toEqual([]);
    expect((await here.run("local", "status")).data.state).toBe("stopped");
  });

  it("says who holds a taken port, before and during the start", async () => {
    const here = place("taken");
    const taken = await listenOn(0);
    try {
      const refused = await here.run("local", "start", "--port", String(taken.port));
      expect(refused).toMatchObject({ status: 4, error: { code: "local.port-taken" } });
      expect(refused.error?.message).toContain(`port ${taken.port} is taken by process ${process.pid}`);
      expect(refused.stdout).toContain("--port N");
      expect(here.processes()).toEqual([]);
    } finally {
      await taken.close();
    }
    const port = await anyPort();
    const begun = await here.beginStart(port);
    const thief = await listenOn(port);
    try {
      expect(await begun.done).toMatchObject({ status: 4, error: { code: "local.port-taken" } });
      expect((await here.run("local", "status")).data.state).not.toBe("running");
    } finally {
      await thief.close();
    }
  });

  it("takes neither a re-used pid nor a stranger on its port for the server", async () => {
    const here = place("reused");
    const port = await anyPort();
    const other = bystander();
    mkdirSync(here.state, { recursive: true });
    const stale = { pid: other.pid, started: "0:1", port, phase: "running", at: "2026-01-01T00:00:00.000Z" };
    writeFileSync(
      join(here.state, "server.json"),
      JSON.stringify({ v: 1, identity: "0".repeat(32), mlflow: "3.17.2", process: stale }),
    );
    try {
      expect(await here.run("local", "status")).toMatchObject({ status: 3, data: { state: "crashed", processes: [] } });
      const stranger = await listenOn(port);
      const foreign = await here.run("local", "status");
      await stranger.close();
      expect(foreign).toMatchObject({ status: 3, data: { state: "foreign" } });
      expect(foreign.data.message).toContain(`process ${process.pid}`);
      expect(await here.run("local", "stop")).toMatchObject({ status: 0, data: { ended: 0 } });
      expect(other.alive()).toBe(true);
      expect((await here.run("local", "status")).data.state).toBe("stopped");
    } finally {
      other.kill();
    }
  });
});

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
