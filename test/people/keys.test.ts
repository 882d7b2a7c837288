import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { isSignedBy, keyIdOf } from "../../src/lib/signing.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { makeKey } from "../../src/people/key-file.ts";
import { loadSigner } from "../../src/people/load-signer.ts";
import { policySchema } from "../../src/policy/policy.ts";
import { runJson } from "../cli/documents.ts";
import { policyText } from "../policy/world.ts";
import { factory, makeHome } from "../support/factory.ts";
import { program } from "../support/paths.ts";

const PHRASE = "correct horse battery";
const home = makeHome();
const config = join(home.folder, "config");
const keys = join(config, "factory", "keys");
const work = join(home.folder, "work");
const { GIT_AUTHOR_EMAIL: _, ...bare } = home.variables;
const variables: Record<string, string> = { ...bare, XDG_CONFIG_HOME: config };

beforeEach(() => mkdirSync(work, { recursive: true }));
afterEach(() => {
  for (const folder of [config, work]) rmSync(folder, { recursive: true, force: true });
});
afterAll(() => home.remove());

const json = (args: readonly string[], more: Record<string, string> = {}) =>
  runJson(args.slice(0, 2).join(" "), args, { cwd: work, variables: { ...variables, ...more } });
const screen = (args: readonly string[], more: Record<string, string> = {}) =>
  factory(args, { cwd: work, variables: { ...variables, ...more } });

interface Made {
  keyId: string;
  publicKey: string;
  line: string;
  file: string;
  address: string;
  encrypted: boolean;
}
async function make(args: readonly string[], more: Record<string, string> = {}): Promise<Made> {
  const { document } = await json(["keys", "new", ...args], more);
  const data: unknown = document.data;
  if (!isMade(data)) throw new Error(`no key: ${JSON.stringify(document)}`);
  return data;
}
function isMade(data: unknown): data is Made {
  return typeof data === "object" && data !== null && "keyId" in data && typeof data.keyId === "string";
}

describe("keys new", () => {
  test("the printed line lists that key in a policy", async () => {
    const { stdout, status } = await screen(["keys", "new", "Ann+x@Example.com"]);
    expect(status).toBe(0);
    const line = stdout.split("\n").find((each) => each.startsWith("  ann@example.com: "));
    const policy = parseYaml(policyText({ people: [line?.trim() ?? ""] }), "policy.yaml", policySchema);
    const key = policy.people["ann@example.com"]?.keys?.[0];
    expect(stdout).toContain(keyIdOf(key?.key ?? ""));
    expect(key?.from).toBe(new Date().toISOString().slice(0, 10));
    expect(stdout).toContain("not encrypted");
  });

  test("a file for its owner only, in a folder for its owner only; its content is never shown", async () => {
    const ran = await screen(["keys", "new", "ann@example.com"]);
    expect(statSync(join(keys, "default.pem")).mode & 0o777).toBe(0o600);
    expect(statSync(keys).mode & 0o777).toBe(0o700);
    const body = readFileSync(join(keys, "default.pem"), "utf8").split("\n")[1] ?? "";
    expect(body.length).toBeGreaterThan(40);
    expect(ran.stdout + ran.stderr).not.toContain(body);
    expect(readdirSync(keys).sort()).toEqual(["default.pem", "default.pub"]);
  });

  test("never overwritten", async () => {
    await make(["ann@example.com"]);
    const before = readFileSync(join(keys, "default.pem"), "utf8");
    expect((await json(["keys", "new", "ann@example.com"])).document.error).toMatchObject({
      code: "key.exists",
      exit: 2,
    });
    expect(readFileSync(join(keys, "default.pem"), "utf8")).toBe(before);
    expect((await make(["ann@example.com", "--name", "work"])).file).toBe(join(keys, "work.pem"));
  });

  test("a passphrase by the variable encrypts it; a short one is refused; none without a terminal", async () => {
    const { file, publicKey, encrypted } = await make(["ann@example.com"], { FACTORY_KEY_PASSPHRASE: PHRASE });
    expect([encrypted, readFileSync(file, "utf8").startsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")]).toEqual([
      true,
      true,
    ]);
    const given = { key: undefined, file: undefined, passphrase: PHRASE };
    const signer = await loadSigner({
      config: join(config, "factory"),
      cwd: work,
      given,
      named: undefined,
      askPassphrase: async () => "",
    });
    expect(isSignedBy(publicKey, Buffer.from("x"), signer.sign(Buffer.from("x")))).toBe(true);
    for (const [args, more, code] of [
      [["--name", "b"], { FACTORY_KEY_PASSPHRASE: "short" }, "keys.passphrase"],
      [["--name", "b", "--passphrase"], {}, "prompt.no-terminal"],
    ] as const) {
      const { document, stdout } = await json(["keys", "new", "ann@example.com", ...args], more);
      expect(document.error).toMatchObject({ code, exit: 2 });
      expect(stdout).not.toContain(PHRASE);
    }
    expect(existsSync(join(keys, "b.pem"))).toBe(false);
  });

  test.each([
    ["the two are the same", [PHRASE, PHRASE], true],
    ["the two differ", [PHRASE, `${PHRASE}!`], false],
  ])("on a terminal it is asked for twice and never shown: %s", (_, answers, made) => {
    const questions = ["New passphrase", "The same once more"];
    const shown = onTerminal(["keys", "new", "ann@example.com", "--passphrase"], questions, answers);
    expect(shown).toContain("New passphrase");
    expect(shown).toContain("The same once more");
    expect(shown).not.toContain("horse");
    expect(shown).toContain(made ? "encrypted" : "the two passphrases differ");
    expect(existsSync(join(keys, "default.pem"))).toBe(made);
  });

  test.each([
    [PHRASE, "signed by ann@example.com"],
    ["another passphrase", "the passphrase does not open"],
  ])("who signs is asked for it: %j", async (answer, words) => {
    const { line } = await make(["ann@example.com"], { FACTORY_KEY_PASSPHRASE: PHRASE });
    writeFileSync(join(work, "policy.yaml"), policyText({ owners: ["ann@example.com"], people: [line.trim()] }));
    const shown = onTerminal(["policy", "sign"], ["Passphrase of"], [answer]);
    expect(shown).toContain(words);
    expect(shown).not.toContain(answer);
  });

  test("a service: its line, its file, and where it goes", async () => {
    const { stdout, status } = await screen(["keys", "new", "ci@example.com", "--service", "--out", "ci.pem"]);
    expect(status).toBe(0);
    expect(stdout).toContain("FACTORY_SIGNING_KEY");
    const line = stdout.split("\n").find((each) => each.startsWith("  ci@example.com: "));
    const { people } = parseYaml(policyText({ people: [line?.trim() ?? ""] }), "policy.yaml", policySchema);
    expect(people["ci@example.com"]?.kind).toBe("service");
    expect(statSync(join(work, "ci.pem")).mode & 0o777).toBe(0o600);
    expect(readdirSync(work)).toEqual(["ci.pem"]);
    expect(existsSync(keys)).toBe(false);
    symlinkSync(join(work, "nowhere"), join(work, "link.pem"));
    for (const out of ["ci.pem", "link.pem"])
      expect((await json(["keys", "new", "ci@example.com", "--service", "--out", out])).document.error?.code).toBe(
        "key.exists",
      );
    expect(existsSync(join(work, "nowhere"))).toBe(false);
  });

  test.each([
    [["--service"], "keys.flags"],
    [["--out", "x.pem"], "keys.flags"],
    [["--service", "--out", "x.pem", "--passphrase"], "keys.flags"],
    [["--service", "--out", "x.pem", "--name", "x"], "keys.flags"],
    [["--name", "../x"], "key.name"],
  ])("%j is refused", async (args, code) => {
    expect((await json(["keys", "new", "ann@example.com", ...args])).document.error).toMatchObject({ code, exit: 2 });
    expect(readdirSync(work)).toEqual([]);
    expect(existsSync(keys)).toBe(false);
  });

  test("an address with a look-alike letter is refused", async () => {
    expect((await json(["keys", "new", "аnn@example.com"])).document.error?.code).toBe("keys.address");
  });

  test.each(["not an email", "ann", "@example.com"])("%j is no address: exit 2, and no key", async (text) => {
    const { document, status } = await json(["keys", "new", text]);
    expect([status, document.error]).toEqual([
      2,
      expect.objectContaining({ code: "keys.address", message: `${JSON.stringify(text)} is no address` }),
    ]);
    expect(existsSync(keys)).toBe(false);
  });

  test("the address: given, of git, or to be put in", async () => {
    expect((await make(["--name", "a"])).address).toBe("someone@example.com");
    execFileSync("git", ["init", "-q"], { cwd: work, env: variables });
    execFileSync("git", ["config", "user.email", "Repo@Example.com"], { cwd: work, env: variables });
    expect((await make(["--name", "b"])).address).toBe("repo@example.com");
    expect((await make(["--name", "c"], { GIT_AUTHOR_EMAIL: "env@example.com" })).address).toBe("env@example.com");
    expect((await make(["given@example.com", "--name", "d"])).address).toBe("given@example.com");
  });

  test("a dry run makes nothing", async () => {
    const { document, status } = await json(["keys", "new", "ann@example.com", "--dry-run"]);
    expect(status).toBe(0);
    expect(document.data).toMatchObject({ file: join(keys, "default.pem"), encrypted: false });
    expect(existsSync(config)).toBe(false);
  });

  test("the day is that of the policy's time zone", async () => {
    for (const [name, zone] of [
      ["east", "Pacific/Kiritimati"],
      ["west", "Pacific/Pago_Pago"],
    ] as const) {
      writeFileSync(join(work, "policy.yaml"), policyText({ timezone: zone }));
      const before = new Date().toLocaleDateString("sv-SE", { timeZone: zone });
      const { line } = await make(["ann@example.com", "--name", name]);
      const after = new Date().toLocaleDateString("sv-SE", { timeZone: zone });
      expect([before, after].some((day) => line.includes(`from: ${day}`))).toBe(true);
    }
  });
});

describe("keys list", () => {
  test("whose each is in the policy here, with what is wrong", async () => {
    expect((await json(["keys", "list"])).document.data).toMatchObject({ keys: [], policy: null });
    const mine = await make(["ann@example.com"]);
    const locked = await make(["ann@example.com", "--name", "locked"], { FACTORY_KEY_PASSPHRASE: PHRASE });
    await make(["ann@example.com", "--name", "open"]);
    chmodSync(join(keys, "open.pem"), 0o644);
    chmodSync(keys, 0o755);
    writeFileSync(join(work, "policy.yaml"), policyText({ people: [mine.line.trim()] }));
    const { document, status } = await json(["keys", "list"]);
    expect(status).toBe(0);
    expect(document.data).toMatchObject({
      policy: join(work, "policy.yaml"),
      keys: [
        { name: "default", keyId: mine.keyId, encrypted: false, address: "ann@example.com" },
        {
          name: "locked",
          keyId: locked.keyId,
          encrypted: true,
          address: null,
          line: expect.stringContaining(locked.publicKey),
        },
        { name: "open", problem: expect.stringContaining("mode 0644") },
      ],
      warnings: [expect.stringContaining("chmod 700")],
    });
    const shown = await screen(["keys", "list"]);
    expect(shown.stdout).toMatch(/default +\S+… +not encrypted +ann@example\.com/);
  });
});

describe("keys never leave", () => {
  const { pem } = makeKey(undefined);
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();
  const lines = (text: string) => text.split("\n").filter((line) => line.length >= 16 && !line.startsWith("-----"));

  test.each([
    ["a good key of nobody", pem, 3],
    ["in one line", pem.trim().replaceAll("\n", "\\n"), 3],
    ["a key of another kind", rsa, 2],
    ["without its frame", lines(pem)[0] ?? "", 2],
    ["damaged", pem.replace(/.{4}\n-----END/, "\n-----END"), 2],
  ])("%s is in no output, with --debug and where a file is named like it", async (_, key, status) => {
    writeFileSync(
      join(work, "policy.yaml"),
      policyText({ owners: ["ann@example.com"], people: ["ann@example.com: {}"] }),
    );
    const body = lines(key.replaceAll("\\n", "\n"));
    for (const args of [
      ["policy", "sign", "--debug"],
      ["policy", "sign", "--json"],
      ["policy", "show", "--policy", body[0] ?? ""],
      ["keys", "list", "--json"],
    ]) {
      const ran = await screen(args, { FACTORY_SIGNING_KEY: key, FACTORY_KEY_PASSPHRASE: PHRASE });
      if (args[1] === "sign") expect(ran.status).toBe(status);
      for (const secret of [...body, PHRASE]) expect(ran.stdout + ran.stderr, args.join(" ")).not.toContain(secret);
    }
  });

  test("both variables at once, and one that is empty, sign nothing", async () => {
    await make(["ann@example.com"]);
    writeFileSync(
      join(work, "policy.yaml"),
      policyText({ owners: ["ann@example.com"], people: ["ann@example.com: {}"] }),
    );
    for (const [more, code] of [
      [{ FACTORY_SIGNING_KEY: pem, FACTORY_SIGNING_KEY_FILE: "x" }, "key.twice"],
      [{ FACTORY_SIGNING_KEY: "" }, "key.empty"],
      [{ FACTORY_SIGNING_KEY_FILE: "" }, "key.empty"],
    ] as const)
      expect((await json(["policy", "sign"], more)).document.error).toMatchObject({ code, exit: 2 });
  });
});

/** Runs the program on a terminal of its own, types an answer for each question, and returns all that the terminal showed. */
function onTerminal(args: readonly string[], questions: readonly string[], answers: readonly string[]): string {
  const driver = [
    "import fcntl, json, os, pty, select, struct, sys, termios",
    "argv, questions, answers = json.loads(sys.argv[1])",
    "pid, fd = pty.fork()",
    "if pid == 0:",
    "    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 100, 0, 0))",
    "    os.execv(argv[0], argv)",
    "shown, asked = b'', 0",
    "while True:",
    "    ready, _, _ = select.select([fd], [], [], 15)",
    "    if not ready: break",
    "    try: chunk = os.read(fd, 65536)",
    "    except OSError: break",
    "    if not chunk: break",
    "    shown += chunk",
    "    while asked < len(answers) and questions[asked].encode() in shown:",
    "        os.write(fd, answers[asked].encode() + b'\\r'); asked += 1",
    "sys.stdout.buffer.write(shown)",
  ].join("\n");
  return execFileSync(
    "python3",
    ["-c", driver, JSON.stringify([[process.execPath, program, ...args], questions, answers])],
    {
      cwd: work,
      env: { ...variables, TERM: "xterm" },
      encoding: "utf8",
      timeout: 60_000,
    },
  );
}
