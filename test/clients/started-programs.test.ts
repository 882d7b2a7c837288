import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openWorkspace } from "../../src/clients/databricks/open-workspace.ts";
import { openHistory } from "../../src/clients/git.ts";
import { openGitBranch } from "../../src/clients/git-branch.ts";
import { openMachine } from "../../src/clients/machine.ts";
import { MLFLOW_PINS, MLFLOW_VERSION } from "../../src/clients/mlflow-pins.ts";
import { installerVariables } from "../../src/clients/python.ts";
import { ensurePythonEnvironment } from "../../src/clients/python-env.ts";
import { runPython } from "../../src/clients/unity-catalog/python.ts";
import { ensureUv } from "../../src/clients/uv.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { commitFirst } from "../../src/scaffold/first-commit.ts";

/** What a shell or a CI job holds and none of these programs needs. Values are unlike each other, so that a leak names its source. */
const PLANTED = Object.fromEntries(
  `FACTORY_SIGNING_KEY FACTORY_SIGNING_KEY_FILE FACTORY_KEY_PASSPHRASE FACTORY_ANYTHING_LATER DATABRICKS_TOKEN DATABRICKS_CLIENT_SECRET
  DATABRICKS_PASSWORD DATABRICKS_CONFIG_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN ARM_CLIENT_SECRET ARM_ACCESS_KEY
  AZURE_CLIENT_SECRET AZURE_STORAGE_KEY GOOGLE_APPLICATION_CREDENTIALS GITHUB_TOKEN GH_TOKEN ACTIONS_ID_TOKEN_REQUEST_TOKEN
  ACTIONS_RUNTIME_TOKEN CI_JOB_TOKEN SYSTEM_ACCESSTOKEN NPM_TOKEN UV_PUBLISH_TOKEN TWINE_PASSWORD PGPASSWORD OPENAI_API_KEY
  MLFLOW_TRACKING_TOKEN MLFLOW_TRACKING_PASSWORD GIT_CONFIG_PARAMETERS GIT_DIR GIT_TRACE PYTHONPATH PYTHONSTARTUP PIP_TARGET`
    .split(/\s+/)
    .map((name, i) => [name, `planted-${i}-${name.toLowerCase().replaceAll("_", "-")}`]),
);

const { signal } = new AbortController();
const realGit = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim();
let folder: string;
let bin: string;
let seen: string;
let variables: Record<string, string>;
let made = 0;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "factory-started-"));
  bin = join(folder, "bin");
  seen = join(folder, "seen");
  variables = {
    ...PLANTED,
    PATH: [bin, process.env.PATH ?? ""].join(delimiter),
    HOME: join(folder, "home"),
    LANG: "C.UTF-8",
    HTTPS_PROXY: "http://proxy.invalid:3128",
    NO_PROXY: "127.0.0.1,localhost",
    SSL_CERT_FILE: "/etc/firm/ca.pem",
  };
  mkdirSync(bin);
  mkdirSync(join(folder, "home"));
  standIn("git", `exec ${realGit} "$@"`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  rmSync(seen, { recursive: true, force: true });
  mkdirSync(seen);
});

/** A program, first on PATH, that leaves what it sees in a file of its own. */
function standIn(name: string, then: string, where = bin): string {
  const path = join(where, name);
  mkdirSync(where, { recursive: true });
  writeFileSync(path, `#!/bin/sh\nenv > "${seen}/${name}-$$-$(date +%N)"\n${then}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** How often a stand-in was started, and every variable that it saw then. */
function sightings(name: string): { times: number; text: string } {
  const files = readdirSync(seen).filter((file) => file.startsWith(`${name}-`));
  return { times: files.length, text: files.map((file) => readFileSync(join(seen, file), "utf8")).join("\n") };
}

function expectBlind(name: string, atLeast = 1): string {
  const { times, text } = sightings(name);
  expect(times, `${name} was started`).toBeGreaterThanOrEqual(atLeast);
  expect(/^PATH=.+/m.test(text), "the sight is one").toBe(true);
  expect(Object.values(PLANTED).filter((value) => text.includes(value))).toEqual([]);
  return text;
}

describe("git", () => {
  test("that reads the history, looks for an identity or makes a project's first commit sees nothing of it", async () => {
    const project = join(folder, "project");
    mkdirSync(project);
    writeFileSync(join(project, "a.txt"), "a");
    const author = { GIT_AUTHOR_NAME: "A", GIT_AUTHOR_EMAIL: "a@example.com" };
    const named = { ...variables, ...author, GIT_COMMITTER_NAME: "C", GIT_COMMITTER_EMAIL: "c@example.com" };
    expect(await commitFirst(project, "first", named, signal)).toMatchObject({ state: "committed" });
    expectBlind("git", 3);
    expect(await openHistory(project, variables, signal).state()).toMatchObject({ dirty: false });
    const [commit] = await openHistory(project, variables, signal).commits(undefined);
    expect(commit?.committer.address).toBe("c@example.com");
    const found = await openMachine({ data: folder, variables, signal }).git(project);
    expect(found?.version).toMatch(/^\d/);
    expectBlind("git", 8);
  });

  /** A commit of one file, pushed and read back through another private copy. */
  async function roundTrip(url: string, more: Record<string, string>): Promise<void> {
    const open = () =>
      openGitBranch({
        url,
        branch: "ledger",
        cache: join(folder, `copy-${++made}`),
        variables: { ...variables, ...more },
      });
    const mine = open();
    await mine.locked(async () => {
      const head = await mine.fetch();
      const commit = await mine.commit(head, "chain.jsonl", Buffer.from(`line ${made}\n`), "one");
      expect(await mine.push(commit)).toEqual({ is: "done" });
    });
    const other = open();
    const bytes = await other.locked(async () => {
      const [file] = await other.files((await other.fetch()) ?? "");
      return file === undefined ? undefined : other.bytes(file);
    });
    expect(bytes?.toString()).toMatch(/^line \d+\n$/);
  }

  function bare(): string {
    const path = join(folder, `bare-${++made}.git`);
    execFileSync(realGit, ["init", "--bare", "--quiet", path]);
    execFileSync(realGit, ["-C", path, "config", "http.receivepack", "true"]);
    return path;
  }

  test("over ssh gets the user's command for ssh and the agent, and nothing else", async () => {
    // The last argument is what a server would run.
    const ssh = standIn("own-ssh", 'for last; do :; done; exec sh -c "$last"');
    await roundTrip(`ssh://git@server.invalid${bare()}`, {
      GIT_SSH_COMMAND: `${ssh} -F /dev/null`,
      GIT_SSH_VARIANT: "simple",
      SSH_AUTH_SOCK: "/run/agent.sock",
    });
    expect(expectBlind("own-ssh", 3)).toContain("SSH_AUTH_SOCK=/run/agent.sock");
    expectBlind("git", 8);
    const program = standIn("plain-ssh", 'for last; do :; done; exec sh -c "$last"');
    await roundTrip(`ssh://git@server.invalid${bare()}`, { GIT_SSH: program, GIT_SSH_VARIANT: "simple" });
    expectBlind("plain-ssh", 3);
  });

  describe("over http", () => {
    let server: Server;
    let origin: string;
    let refused = 0;
    const wanted = `Basic ${Buffer.from("bot:of-git-alone").toString("base64")}`;
    beforeAll(async () => {
      server = createServer((request, response) => {
        if (request.headers.authorization !== wanted) {
          refused++;
          response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
          return;
        }
        const { pathname, search } = new URL(request.url ?? "/", "http://127.0.0.1");
        const cgi = spawn(realGit, ["http-backend"], {
          env: {
            PATH: process.env.PATH ?? "",
            GIT_PROJECT_ROOT: folder,
            GIT_HTTP_EXPORT_ALL: "1",
            REMOTE_USER: "bot",
            REQUEST_METHOD: request.method ?? "",
            PATH_INFO: pathname,
            QUERY_STRING: search.slice(1),
            CONTENT_TYPE: request.headers["content-type"] ?? "",
            HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
            GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
          },
        });
        request.pipe(cgi.stdin);
        const chunks: Buffer[] = [];
        cgi.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
        cgi.on("close", () => {
          const answer = Buffer.concat(chunks);
          const at = answer.indexOf("\r\n\r\n");
          for (const line of answer.subarray(0, at).toString().split("\r\n")) {
            const [name = "", value = ""] = line.split(": ");
            if (name === "Status") response.statusCode = Number.parseInt(value, 10);
            else response.setHeader(name, value);
          }
          response.end(answer.subarray(at + 4));
        });
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      origin = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    });
    afterAll(() => server?.close());

    const remote = () => `${origin}/${bare().split("/").at(-1)}`;

    test("is refused without a credential", async () => {
      refused = 0;
      await expect(roundTrip(remote(), {})).rejects.toMatchObject({ code: "git.failed", exit: 4 });
      expect(refused).toBeGreaterThan(0);
    });

    test("asks the program of GIT_ASKPASS", async () => {
      const ask = standIn("own-askpass", 'case "$1" in Username*) echo bot;; *) echo of-git-alone;; esac');
      await roundTrip(remote(), { GIT_ASKPASS: ask });
      expectBlind("own-askpass", 2);
    });

    test("asks the helper of the user's own configuration, wherever that is", async () => {
      const helper = standIn("own-helper", "echo username=bot; echo password=of-git-alone");
      const config = join(folder, "gitconfig");
      writeFileSync(config, `[credential]\n\thelper = ${helper}\n`);
      await roundTrip(remote(), { GIT_CONFIG_GLOBAL: config, GIT_CONFIG_NOSYSTEM: "1" });
      expectBlind("own-helper", 2);
    });

    test("takes a header from GIT_CONFIG_COUNT, as a step of a CI gives it", async () => {
      const key = `http.${origin}/.extraHeader`;
      await roundTrip(remote(), {
        GIT_CONFIG_COUNT: "1",
        GIT_CONFIG_KEY_0: key,
        GIT_CONFIG_VALUE_0: `Authorization: ${wanted}`,
      });
    });
  });
});

describe("Python and uv", () => {
  const index = { PIP_INDEX_URL: "https://me:index-password@index.example.com/simple" };

  test("see how to reach the package index, and nothing else", async () => {
    const uv = standIn("uv", '[ "$1" = --version ] && echo "uv 0.9.0" && exit 0; exit 1');
    const python = standIn("python3.11", "exit 1");
    // One that names itself, so that what is run later is seen too.
    const self = JSON.stringify({ version: "3.11.9", minor: "3.11", path: python, name: "cpython" });
    standIn("python3.11", `[ "$1" = -I ] && echo '${self}' && exit 0; exit 1`);
    const request = { data: join(folder, "data"), variables: { ...variables, ...index }, report: () => {}, signal };
    await expect(ensurePythonEnvironment(request)).rejects.toMatchObject({ code: "python.install" });
    const byUv = expectBlind("uv", 2);
    expect(byUv).toContain("UV_DEFAULT_INDEX=https://me:index-password@index.example.com/simple");
    expect(byUv).toContain("HTTPS_PROXY=http://proxy.invalid:3128");
    expect(byUv).toContain("SSL_CERT_FILE=/etc/firm/ca.pem");
    expectBlind("python3.11", 2);
    rmSync(uv);
    rmSync(seen, { recursive: true });
    mkdirSync(seen);
    const without = {
      ...request,
      variables: { ...request.variables, PATH: [bin, "/usr/bin", "/bin"].join(delimiter) },
    };
    expect(await ensureUv(without)).toBeUndefined();
    // Looked for, asked for pip's settings, and told to make an environment.
    expectBlind("python3.11", 3);
    const handed = await installerVariables(request.variables, python, signal);
    expect(Object.values(PLANTED).filter((value) => Object.values(handed).includes(value))).toEqual([]);
  });

  test("that talks to a workspace has the token of that environment alone", async () => {
    const data = join(folder, "managed");
    const digest = sha256(MLFLOW_PINS);
    const environment = join(data, `mlflow-${MLFLOW_VERSION}-${digest.slice(0, 8)}-py3.11`);
    mkdirSync(environment, { recursive: true });
    const record = { pins: digest, python: "3.11.9", installer: "uv", packages: 1 };
    writeFileSync(join(environment, "factory-complete.json"), JSON.stringify(record));
    standIn("mlflow", "exit 1", join(environment, "bin"));
    standIn("python", `echo '{"event":"done","version":"1"}'`, join(environment, "bin"));
    const home = join(folder, "home");
    const profiles = ["test", "prod"].map(
      (name) => `[${name}]\nhost = https://${name}.invalid\ntoken = of-${name}-only\n`,
    );
    writeFileSync(join(home, ".databrickscfg"), profiles.join("\n"), { mode: 0o600 });
    const places = { config: join(folder, "config"), cache: join(folder, "cache") };
    const own = { ...variables, DATABRICKS_TOKEN: "", DATABRICKS_CLIENT_SECRET: "", DATABRICKS_PASSWORD: "" };
    const workspace = await openWorkspace(
      { profile: "prod" },
      { variables: own, home, places, version: "0.0.0", signal },
    );
    const world = { workspace, data, cache: places.cache, variables, signal };
    const request = { what: "fetch", model: "a.b.c", version: "1", folder: join(folder, "into") } as const;
    await runPython(world, request, { files: true, report: () => {} });
    const text = expectBlind("python");
    expect(text).toContain("DATABRICKS_TOKEN=of-prod-only");
    expect(text).not.toContain("of-test-only");
    expect(text).not.toContain(`HOME=${home}\n`);
  });
});
