import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ensureUv } from "../../src/clients/uv.ts";
import { projectEnvironment } from "../../src/training/project-environment.ts";
import { processVariables } from "../support/mlflow-server.ts";
import { toolsFolder } from "../support/paths.ts";

/** Builds nothing on the first try, so that the environment has to be made once more; tells what it was given each time. */
const BACKEND = `
import os, sys, zipfile
here = os.path.dirname(__file__)
log = os.path.join(here, "seen.txt")
again = os.path.exists(log)
open(log, "a").write(repr(dict(os.environ)) + "\\n")
if not again: sys.exit("not yet")
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "evil-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("evil-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: evil\\nVersion: 1\\n")
        wheel.writestr("evil-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("evil-1.dist-info/RECORD", "")
    return name
`;

test("a build that fails until it is given more is never given the password of a package index", async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "factory-backend-")));
  const signal = new AbortController().signal;
  const variables = processVariables();
  const report = () => {};
  try {
    writeFileSync(
      join(folder, "pyproject.toml"),
      '[project]\nname = "evil"\nversion = "1"\nrequires-python = ">=3.11"\n[build-system]\nrequires = []\nbuild-backend = "evil"\nbackend-path = ["."]\n',
    );
    writeFileSync(join(folder, "evil.py"), BACKEND);
    const uv = async () => ({
      program: (await ensureUv({ data: join(toolsFolder, "data", "factory"), variables, report, signal })) ?? "uv",
      settings: {},
    });
    const secret = { UV_EXTRA_INDEX_URL: "https://user:hunter2hunter2@127.0.0.1:9/simple" };
    await projectEnvironment(folder, uv, { ...variables, ...secret }, report, signal);
    const seen = readFileSync(join(folder, "seen.txt"), "utf8");
    expect(seen.trim().split("\n").length).toBeGreaterThan(1);
    expect(seen).not.toContain("hunter2hunter2");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
