import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findPython, indexSettings, installError, installerVariables } from "../../src/clients/python.ts";
import { factory, type Home, makeHome } from "../support/factory.ts";
import { anyPort } from "./world.ts";

let home: Home;
beforeAll(() => {
  home = makeHome();
});
afterAll(() => home.remove());

function program(folder: string, name: string, text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(folder, name), 0o755);
}

const answer = (version: string, minor: string, path: string) =>
  `echo '{"version":"${version}","minor":"${minor}","path":"${path}","name":"cpython"}'`;

describe("finding Python", () => {
  it("passes over shims that fail, tools that hang up and versions that are too old or too new", async () => {
    const bin = join(home.folder, "bin");
    program(bin, "python3.11", "echo 'pyenv: python3.11: command not found' >&2; exit 127");
    program(bin, "python3.12", "echo not json");
    program(bin, "python3.13", answer("3.13.1", "3.13", "/opt/python3.13"));
    program(bin, "python3", answer("3.8.18", "3.8", "/usr/bin/python3"));
    expect(await findPython({ PATH: bin })).toMatchObject({ found: { version: "3.13.1", path: "/opt/python3.13" } });
    program(bin, "python3.13", "exit 1");
    program(bin, "python", answer("3.99.0", "3.99", "/usr/bin/python"));
    expect(await findPython({ PATH: bin })).toEqual({
      found: undefined,
      others: ["python3 is 3.8.18", "python is 3.99.0"],
    });
  });

  it("finds the real one of this machine", async () => {
    expect((await findPython(home.variables)).found?.version).toMatch(/^3\.1[123]\.\d+$/);
  });
});

it("hands pip's index to uv, keeps uv's own, and drops what would redirect the interpreter", async () => {
  const python = (await findPython(home.variables)).found?.path ?? "";
  const base = {
    PATH: home.variables.PATH ?? "",
    HOME: home.variables.HOME ?? "",
    PYTHONPATH: "/evil",
    PYTHONDONTWRITEBYTECODE: "1",
    VIRTUAL_ENV: "/venv",
  };
  const handed = await installerVariables({ ...base, PIP_INDEX_URL: "https://index.example.com/simple" }, python);
  expect(handed).toMatchObject({ UV_DEFAULT_INDEX: "https://index.example.com/simple", UV_PYTHON_DOWNLOADS: "never" });
  expect(Object.keys(handed).filter((name) => /^PYTHON|^VIRTUAL/.test(name))).toEqual([]);
  const own = await installerVariables(
    { ...base, PIP_INDEX_URL: "https://pip.example.com", UV_DEFAULT_INDEX: "https://uv.example.com" },
    python,
  );
  expect(own.UV_DEFAULT_INDEX).toBe("https://uv.example.com");
  const config = join(home.folder, "pip.conf");
  writeFileSync(config, "[global]\nindex-url = https://file.example.com/simple\n");
  expect((await installerVariables({ ...base, PIP_CONFIG_FILE: config }, python)).UV_DEFAULT_INDEX).toBe(
    "https://file.example.com/simple",
  );
});

it("tells uv of pip's index and certificates, from variables and files, unless uv has its own", async () => {
  const python = (await findPython(home.variables)).found?.path ?? "";
  const config = join(home.folder, "settings.conf");
  writeFileSync(
    config,
    "[global]\nindex-url = https://file.example.com/simple\ncert = /etc/firm/ca.pem\nfind-links = /a /b\n",
  );
  const base = { PATH: home.variables.PATH ?? "", HOME: home.variables.HOME ?? "" };
  expect(await indexSettings({ ...base, PIP_CONFIG_FILE: config }, python)).toEqual({
    UV_DEFAULT_INDEX: "https://file.example.com/simple",
    SSL_CERT_FILE: "/etc/firm/ca.pem",
    UV_FIND_LINKS: "/a,/b",
  });
  const own = { UV_INDEX_URL: "https://b.example", SSL_CERT_FILE: "/own.pem", UV_FIND_LINKS: "/c" };
  expect(await indexSettings({ ...base, ...own, PIP_CONFIG_FILE: config }, python)).toEqual({});
  const given = await indexSettings({ ...base, PIP_CONFIG_FILE: config, PIP_INDEX_URL: "https://a.example" }, python);
  expect(given.UV_DEFAULT_INDEX).toBe("https://a.example");
});

describe("a failed install", () => {
  it.each([
    ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk.full"],
    ["error: failed to write to file: No space left on device (os error 28)", "disk.full"],
    ["error: Failed to fetch: `https://index/simple/`\n  Caused by: dns error", "python.index"],
    [
      "WARNING: Retrying … NewConnectionError('<…>: Failed to establish a new connection: [Errno 111] Connection refused')",
      "python.index",
    ],
    ["error: something else", "python.install"],
  ])("%s → %s", (output, code) => {
    expect(installError("the environment", output, "/log")).toMatchObject({ code, exit: 4 });
  });

  it("shows no password of an index", () => {
    expect(
      String(installError("x", "Looking in indexes: https://me:hunter2-secret@index.example.com/simple", "/log")),
    ).not.toContain("hunter2");
  });
});

describe("local start on a poor machine", () => {
  it("names the missing Python", async () => {
    const variables = {
      ...home.variables,
      PATH: join(home.folder, "empty"),
      XDG_DATA_HOME: join(home.folder, "no-data"),
    };
    const ran = await factory(["local", "start", "--dir", home.folder, "--port", String(await anyPort())], {
      cwd: home.folder,
      variables,
    });
    expect(ran.status).toBe(4);
    expect(ran.stderr).toMatch(/no Python 3\.11, 3\.12, 3\.13 on PATH/);
    expect(ran.stderr).toContain("install Python");
  });

  it("says that the package index cannot be reached, and leaves no half environment that counts", async () => {
    const kept = Object.entries(home.variables).filter(([name]) => !/^(?:PIP|UV)_/.test(name));
    const data = join(home.folder, "offline");
    const variables = {
      ...Object.fromEntries(kept),
      XDG_DATA_HOME: data,
      PIP_INDEX_URL: "http://127.0.0.1:9/simple",
      PIP_RETRIES: "0",
      UV_HTTP_RETRIES: "0",
      UV_CACHE_DIR: join(home.folder, "cache"),
    };
    const ran = await factory(["local", "start", "--dir", home.folder, "--port", String(await anyPort()), "--json"], {
      cwd: home.folder,
      variables,
    });
    expect(ran.status).toBe(4);
    expect(ran.stdout).toMatch(/"code":\s*"python\.index"/);
    const doctor = await factory(["doctor", "--json"], { cwd: home.folder, variables });
    expect(doctor.stdout).toContain("not installed yet");
  });
});
