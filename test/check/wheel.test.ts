import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { buildWheel } from "../../src/check/attachments.ts";
import { ensureUv } from "../../src/clients/uv.ts";
import { processVariables } from "../support/mlflow-server.ts";
import { toolsFolder } from "../support/paths.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "factory-wheel-")));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const signal = new AbortController().signal;

test("a wheel by setuptools holds nothing that lay in build/, and leaves no code there", async () => {
  const folder = join(root, "project");
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  put(
    "pyproject.toml",
    '[project]\nname = "pk"\nversion = "1"\n[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
  );
  put("src/pk/__init__.py", "LIMIT = 1\n");
  put("build/lib/pk/planted.py", "LIMIT = 2\n");
  const variables = processVariables();
  const uv = await ensureUv({ data: join(toolsFolder, "data", "factory"), variables, report: () => {}, signal });
  if (uv === undefined) throw new Error("uv could not be had");
  const env = { ...variables, PATH: `${dirname(uv)}:${variables.PATH}` };
  const wheel = await buildWheel(folder, join(root, "wheel"), env, signal);
  const names = Buffer.from(wheel.content).toString("latin1");
  expect(names).toContain("pk/__init__.py");
  expect(names).not.toContain("planted");
  expect(existsSync(join(folder, "build/lib/pk/__init__.py"))).toBe(false);
  expect(readFileSync(join(folder, "build/lib/pk/planted.py"), "utf8")).toBe("LIMIT = 2\n");
});
