import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepForNext, renewFolder, takeKeptPython } from "../../src/quickstart/folder.ts";

const PACKAGES = ".venv/lib/python3.11/site-packages";

let base = "";
let folder = "";
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "factory-quickstart-"));
  folder = join(base, "demo");
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** A story that came as far as to two projects with an environment each. */
async function tell(where: string, toItsEnd: boolean): Promise<void> {
  await renewFolder(where).cleared;
  for (const project of ["one", "two"]) {
    mkdirSync(join(where, project, PACKAGES), { recursive: true });
    writeFileSync(join(where, project, PACKAGES, "installed"), project);
    writeFileSync(join(where, project, "code.py"), "");
  }
  if (toItsEnd) keepForNext(where);
}

/** The project is made anew, and asks for the environment that it had. */
function again(where: string, project: string): string | undefined {
  mkdirSync(join(where, project));
  takeKeptPython(where, join(where, project));
  const file = join(where, project, PACKAGES, "installed");
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

describe("the Python environments of a story", () => {
  it("are there for the next one in the same folder, and nothing else is", async () => {
    await tell(folder, true);
    await renewFolder(folder).cleared;
    expect(readdirSync(folder).sort()).toEqual([".factory-quickstart.json", ".python"]);
    expect([again(folder, "one"), again(folder, "two"), again(folder, "three")]).toEqual(["one", "two", undefined]);
    expect(readdirSync(join(folder, "one"))).toEqual([".venv"]);
  });

  it("are not, when the story did not come to its end: half an environment may look whole", async () => {
    await tell(folder, false);
    await renewFolder(folder).cleared;
    expect(again(folder, "one")).toBe(undefined);
  });

  it("are not in another place: their programs name the old one", async () => {
    await tell(folder, true);
    const elsewhere = join(base, "elsewhere");
    renameSync(folder, elsewhere);
    await renewFolder(elsewhere).cleared;
    expect(again(elsewhere, "one")).toBe(undefined);
  });

  it("are not, when packages were put in since: an install may have been cut off", async () => {
    await tell(folder, true);
    await pause(20);
    writeFileSync(join(folder, "one", PACKAGES, "more"), "");
    await renewFolder(folder).cleared;
    expect([again(folder, "one"), again(folder, "two")]).toEqual([undefined, "two"]);
  });

  it("are not, when they are a link to somewhere else", async () => {
    await tell(folder, true);
    renameSync(join(folder, "one", ".venv"), join(base, "venv"));
    symlinkSync(join(base, "venv"), join(folder, "one", ".venv"));
    await renewFolder(folder).cleared;
    expect([again(folder, "one"), again(folder, "two")]).toEqual([undefined, "two"]);
    expect(existsSync(join(base, "venv", "lib"))).toBe(true);
  });

  it("do not take the place of one that is there", async () => {
    await tell(folder, true);
    await renewFolder(folder).cleared;
    mkdirSync(join(folder, "one", ".venv"), { recursive: true });
    takeKeptPython(folder, join(folder, "one"));
    expect(readdirSync(join(folder, "one", ".venv"))).toEqual([]);
  });
});
