import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isSignedBy } from "../../src/lib/signing.ts";
import { keyPath, makeKey, passphraseProblem, writeKeyFile, writePublicKey } from "../../src/people/key-file.ts";
import { listKeys } from "../../src/people/list-keys.ts";
import { loadSigner, type SignerRequest } from "../../src/people/load-signer.ts";

const PHRASE = "correct horse battery";
let folder: string;
let config: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "factory-keys-"));
  config = join(folder, "config");
});
afterEach(() => rmSync(folder, { recursive: true }));

function request(more: Partial<SignerRequest> = {}, given: Partial<SignerRequest["given"]> = {}): SignerRequest {
  return {
    config,
    cwd: folder,
    named: undefined,
    given: { key: undefined, file: undefined, passphrase: undefined, ...given },
    askPassphrase: () => Promise.reject(new Error("nobody is asked")),
    ...more,
  };
}

/** A key in the user's folder; returns its id. */
function keep(name: string, passphrase?: string): string {
  const { signer, pem } = makeKey(passphrase);
  writeKeyFile(keyPath(config, name), pem);
  writePublicKey(keyPath(config, name), signer.publicKey);
  return signer.keyId;
}

const { signer: one, pem: ONE } = makeKey(undefined);

describe("which key it is", () => {
  test("the one given by a variable, before any in the folder", async () => {
    keep("default");
    expect((await loadSigner(request({}, { key: ONE }))).keyId).toBe(one.keyId);
    expect((await loadSigner(request({ named: "default" }, { key: ONE }))).keyId).toBe(one.keyId);
  });

  test("one line, as some secret stores hold it", async () => {
    expect((await loadSigner(request({}, { key: ONE.trim().replaceAll("\n", "\\n") }))).keyId).toBe(one.keyId);
  });

  test("the one in a file that a variable names, from where we are", async () => {
    writeFileSync(join(folder, "ci.pem"), ONE, { mode: 0o600 });
    for (const file of ["ci.pem", join(folder, "ci.pem")])
      expect((await loadSigner(request({}, { file }))).keyId).toBe(one.keyId);
  });

  test("of several the only one that the policy lists, also when it is encrypted; else a person says which", async () => {
    const [first, second] = [keep("default"), keep("work", PHRASE)];
    const listing = (...ids: string[]) => ({ listed: async () => (id: string) => ids.includes(id) });
    expect((await loadSigner(request(listing(first)))).keyId).toBe(first);
    expect((await loadSigner(request(listing(second), { passphrase: PHRASE }))).keyId).toBe(second);
    expect((await loadSigner(request({ ...listing(first), named: "work" }, { passphrase: PHRASE }))).keyId).toBe(
      second,
    );
    for (const [listed, said] of [
      [[], "default, work; the policy lists none of them"],
      [[first, second], "default, work; the policy lists default, work"],
    ] as const)
      await expect(loadSigner(request(listing(...listed)))).rejects.toMatchObject({
        code: "key.several",
        message: expect.stringContaining(said),
      });
  });

  test("nobody asks for the policy where there is nothing to choose", async () => {
    const id = keep("default");
    const listed = () => Promise.reject(new Error("asked for the policy"));
    expect((await loadSigner(request({ listed }))).keyId).toBe(id);
    keep("work");
    expect((await loadSigner(request({ listed, named: "default" }))).keyId).toBe(id);
    expect((await loadSigner(request({ listed }, { key: ONE }))).keyId).toBe(one.keyId);
  });

  test("the only one; the named one of several", async () => {
    const first = keep("default");
    expect((await loadSigner(request())).keyId).toBe(first);
    const second = keep("work");
    expect((await loadSigner(request({ named: "work" }))).keyId).toBe(second);
    await expect(loadSigner(request())).rejects.toMatchObject({
      code: "key.several",
      exit: 2,
      message: expect.stringContaining("default, work"),
    });
  });

  test("its signatures hold", async () => {
    keep("default", PHRASE);
    const signer = await loadSigner(request({}, { passphrase: PHRASE }));
    expect(isSignedBy(signer.publicKey, Buffer.from("x"), signer.sign(Buffer.from("x")))).toBe(true);
  });
});

describe("a passphrase", () => {
  test("is asked for when a variable does not give it, and only then", async () => {
    const id = keep("default", PHRASE);
    const asked: string[] = [];
    const askPassphrase = async (path: string) => {
      asked.push(path);
      return PHRASE;
    };
    expect((await loadSigner(request({ askPassphrase }))).keyId).toBe(id);
    expect((await loadSigner(request({ askPassphrase }, { passphrase: PHRASE }))).keyId).toBe(id);
    expect(asked).toEqual([keyPath(config, "default")]);
  });

  test("that is wrong opens nothing", async () => {
    keep("default", PHRASE);
    for (const passphrase of ["wrong wrong wrong", "", `${PHRASE} `])
      await expect(loadSigner(request({}, { passphrase }))).rejects.toMatchObject({ code: "key.passphrase", exit: 2 });
  });

  test("has twelve characters at least", () => {
    expect(passphraseProblem("elevenchars")).toContain("12");
    expect(passphraseProblem("twelve chars")).toBeUndefined();
  });

  test("encrypts with scrypt, in a form that OpenSSL reads", () => {
    const { pem, signer } = makeKey(PHRASE);
    const path = join(folder, "k.pem");
    writeKeyFile(path, pem);
    const asn1 = execFileSync("openssl", ["asn1parse", "-in", path], { encoding: "utf8" });
    expect(asn1).toMatch(/PBES2[\s\S]*scrypt[\s\S]*aes-256-cbc/);
    const der = execFileSync("openssl", [
      "pkey",
      "-in",
      path,
      "-passin",
      `pass:${PHRASE}`,
      "-pubout",
      "-outform",
      "DER",
    ]);
    expect(`ed25519:${der.subarray(12).toString("base64")}`).toBe(signer.publicKey);
  });
});

describe("what is no key is exit 2, in words of its own and without a letter of it", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const other = generateKeyPairSync("ed25519");
  const pkcs8 = { type: "pkcs8", format: "pem" } as const;
  const body = ONE.split("\n")[1] ?? "";
  test.each([
    ["an RSA key", rsa.privateKey.export(pkcs8).toString(), "key.type"],
    ["a P-256 key", ec.privateKey.export(pkcs8).toString(), "key.type"],
    ["an RSA key in its own form", rsa.privateKey.export({ type: "pkcs1", format: "pem" }).toString(), "key.format"],
    ["an EC key in its own form", ec.privateKey.export({ type: "sec1", format: "pem" }).toString(), "key.format"],
    ["a public key", other.publicKey.export({ type: "spki", format: "pem" }).toString(), "key.format"],
    [
      "an OpenSSH key",
      `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`,
      "key.format",
    ],
    ["a certificate", `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`, "key.format"],
    ["base64 without a frame", body, "key.format"],
    ["a name", "ci-claims@example.com", "key.format"],
    ["a damaged key", ONE.replace(body, body.slice(4)), "key.damaged"],
    ["a key cut in the middle", ONE.slice(0, 60), "key.damaged"],
    [
      "a frame around rubbish",
      "-----BEGIN PRIVATE KEY-----\nnot base64 at all\n-----END PRIVATE KEY-----\n",
      "key.damaged",
    ],
    ["a damaged encrypted key", makeKey(PHRASE).pem.replace(/.{8}\n-----END/, "\n-----END"), "key.passphrase"],
    ["nothing", "", "key.empty"],
    ["blanks", " \n ", "key.empty"],
  ])("%s", async (_, key, code) => {
    const error: unknown = await loadSigner(request({}, { key, passphrase: PHRASE })).then(
      () => "loaded",
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code, exit: 2, hint: expect.any(String) });
    const shown = JSON.stringify(error, Object.getOwnPropertyNames(error));
    for (const line of [...key.split("\n"), PHRASE].filter((line) => line.length >= 12 && !line.startsWith("-----")))
      expect(shown).not.toContain(line);
  });
});

describe("a file that is not private", () => {
  test.each([0o640, 0o604, 0o644, 0o660, 0o606, 0o677])("mode %o is refused, with what to do", async (mode) => {
    keep("default");
    chmodSync(keyPath(config, "default"), mode);
    await expect(loadSigner(request())).rejects.toMatchObject({
      code: "key.mode",
      exit: 2,
      hint: expect.stringMatching(/^chmod 600 /),
    });
  });

  test.each([0o600, 0o400])("mode %o is taken", async (mode) => {
    const id = keep("default");
    chmodSync(keyPath(config, "default"), mode);
    expect((await loadSigner(request())).keyId).toBe(id);
  });

  test("a link, a folder, a pipe, a large file and nothing are refused", async () => {
    keep("default");
    symlinkSync(keyPath(config, "default"), join(folder, "link.pem"));
    mkdirSync(join(folder, "dir.pem"), { mode: 0o700 });
    execFileSync("mkfifo", ["-m", "600", join(folder, "pipe.pem")]);
    writeFileSync(join(folder, "large.pem"), `${ONE}${"x".repeat(20_000)}`, { mode: 0o600 });
    for (const [file, code] of [
      ["link.pem", "key.link"],
      ["dir.pem", "key.kind"],
      ["pipe.pem", "key.kind"],
      ["large.pem", "key.size"],
      ["none.pem", "key.missing"],
      ["", "key.empty"],
    ] as const)
      await expect(loadSigner(request({}, { file })), file).rejects.toMatchObject({ code, exit: 2 });
  });

  test("two variables at once, no key, and a name that is a path are refused", async () => {
    await expect(loadSigner(request({}, { key: ONE, file: "x" }))).rejects.toMatchObject({
      code: "key.twice",
      exit: 2,
    });
    await expect(loadSigner(request())).rejects.toMatchObject({ code: "key.none", exit: 2 });
    for (const named of ["../default", "a/b", "", ".", "-x", "a\n"])
      await expect(loadSigner(request({ named })), named).rejects.toMatchObject({ code: "key.name", exit: 2 });
  });
});

describe("writing and listing", () => {
  test("a key is 0600 in a folder that is 0700, and never replaced", () => {
    keep("default");
    const path = keyPath(config, "default");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(config, "keys")).mode & 0o777).toBe(0o700);
    const before = readFileSync(path, "utf8");
    expect(() => writeKeyFile(path, ONE)).toThrow(expect.objectContaining({ code: "key.exists", exit: 2 }));
    expect(readFileSync(path, "utf8")).toBe(before);
    expect(readdirSync(join(config, "keys")).sort()).toEqual(["default.pem", "default.pub"]);
  });

  test("a dangling link where the key would go is not followed", () => {
    symlinkSync(join(folder, "elsewhere"), join(folder, "k.pem"));
    expect(() => writeKeyFile(join(folder, "k.pem"), ONE)).toThrow(expect.objectContaining({ code: "key.exists" }));
    expect(existsSync(join(folder, "elsewhere"))).toBe(false);
  });

  test("each is listed with what can be known of it", () => {
    keep("default");
    keep("locked", PHRASE);
    keep("open");
    chmodSync(keyPath(config, "open"), 0o644);
    keep("unknown", PHRASE);
    rmSync(keyPath(config, "unknown").replace(/pem$/, "pub"));
    writeFileSync(keyPath(config, "rubbish"), "rubbish", { mode: 0o600 });
    writeFileSync(join(config, "keys", "notes.txt"), "not a key");
    expect(
      listKeys(config).map(({ name, encrypted, publicKey, problem }) => [
        name,
        encrypted,
        publicKey !== undefined,
        problem !== undefined,
      ]),
    ).toEqual([
      ["default", false, true, false],
      ["locked", true, true, false],
      ["open", false, true, true],
      ["rubbish", false, false, true],
      ["unknown", true, false, false],
    ]);
  });

  test("what is noted beside a key that can be read is not believed", () => {
    const id = keep("default");
    writePublicKey(keyPath(config, "default"), one.publicKey);
    expect(listKeys(config)[0]?.publicKey).not.toBe(one.publicKey);
    expect(id).not.toBe(one.keyId);
  });
});
