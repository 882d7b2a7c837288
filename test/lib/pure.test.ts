import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { canonicalJson, parseCanonicalJson } from "../../src/lib/canonical-json.ts";
import { cutTo } from "../../src/lib/cut-to.ts";
import { writeFileAtomic } from "../../src/lib/files.ts";
import { sha256, sha256File } from "../../src/lib/hash.ts";
import { escapeHidden } from "../../src/lib/hidden-characters.ts";
import { nearest } from "../../src/lib/nearest.ts";
import { redact, stripControls } from "../../src/lib/redact.ts";
import { runProcess } from "../../src/lib/run-process.ts";

const folder = mkdtempSync(join(tmpdir(), "factory-lib-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("canonical JSON", () => {
  test.each<[unknown, string]>([
    [
      JSON.parse(
        '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
      ),
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    ],
    [
      { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7 },
      '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
    ],
    [-0, "0"],
    [9007199254740992, "9007199254740992"],
    [1e21, "1e+21"],
    [5e-324, "5e-324"],
    [{ b: undefined, a: [] }, '{"a":[]}'],
  ])("%j", (value, text) => expect(canonicalJson(value)).toBe(text));

  test.each([Number.NaN, Number.POSITIVE_INFINITY, "\ud800", { "\udc00": 1 }, 1n, () => 1])(
    "refuses what JSON cannot carry: %s",
    (value) => {
      expect(() => canonicalJson(value)).toThrow(TypeError);
    },
  );

  test.each([
    ...['{"a":1,"b":[{"c":"é","d":null}]}', "null", "[]", '"\\u000f\\\\ud"', '{"10":1,"9":2}', '{"__proto__":1,"a":2}'],
  ])("is read back: %s", (text) => {
    expect(canonicalJson(JSON.parse(text))).toBe(text);
    expect(parseCanonicalJson(text)).toEqual(JSON.parse(text));
  });

  test.each([
    ...[
      '{"b":1,"a":2}',
      '{"a":{"d":1,"c":2}}',
      '{"9":1,"10":2}',
      '{"a":1,"a":1}',
      '{"a": 1}',
      " 1",
      "1.0",
      "1E3",
      "-0",
    ],
    ...['"\\u00e9"', '"\\/"', '"\\ud800"', '{"\\udc00":1}', '"\\ud83d\\ude00"', "", "{", "undefined"],
  ])("is not what it is read from: %s", (text) => expect(parseCanonicalJson(text)).toBeUndefined());
});

describe("SHA-256", () => {
  test.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ],
  ])("of %j", (text, digest) => expect(sha256(text)).toBe(digest));

  test.each([0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (5 << 20) + 7])("of a file of %i bytes", async (size) => {
    const bytes = Buffer.alloc(size, "factory");
    const path = join(folder, "bytes");
    writeFileSync(path, bytes);
    let seen = 0;
    expect(await sha256File(path, (more) => (seen += more))).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(seen).toBe(size);
  });
});

test.each([
  ["locl", ["local", "ledger"], "local"],
  ["strat", ["start", "stop", "status"], "start"],
  ["CHECK", ["check"], "check"],
  ["x", ["check", "train"], undefined],
  ["", ["check"], undefined],
  ["gaets", ["gates"], "gates"],
  ["completely", ["check"], undefined],
])("nearest to %j", (word, names, best) => expect(nearest(word, names)).toBe(best));

describe("redaction", () => {
  const hex = "0123456789abcdef".repeat(2);
  const letters = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789".repeat(3);
  // Put together here, so that no scanner takes this file for a leak.
  const shapes = [
    `da${"pi"}${hex}`,
    `da${"pi"}${hex}-2`,
    `do${"se"}${hex}`,
    `ey${"J"}hbGciOiJIUzI1NiJ9.ey${"J"}zdWIiOiIxMjM0.${letters.slice(0, 43)}`,
    ...["p", "o", "u", "s", "r"].map((kind) => `gh${kind}_${letters.slice(0, 36)}`),
    `github_${"pat"}_${letters.slice(0, 82)}`,
    `gl${"pat"}-${letters.slice(0, 20)}`,
    `AK${"IA"}ABCDEFGHIJKLMNOP`,
    `AS${"IA"}ABCDEFGHIJKLMNOP`,
    ...["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "].map(
      (kind) => `-----BEGIN ${kind}PRIVATE KEY-----\nabc${letters}\n-----END ${kind}PRIVATE KEY-----`,
    ),
    `-----BEGIN PRIVATE KEY-----\n${letters}`,
    ...["Bearer", "bearer", "BEARER", "Basic", "basic"].map((kind) => `${kind} ${letters.slice(0, 40)}==`),
  ];
  test.each(shapes)("of %s", (secret) => {
    const text = redact(`before ${secret}`);
    expect(text).toMatch(/^before /);
    expect(text).toContain("••••");
    expect(text).not.toContain(secret.slice(-20));
  });
  test.each(["postgres", "https", "git+ssh", "jdbc:mysql"])("of a password in a %s URL", (scheme) => {
    expect(redact(`${scheme}://user:hunter2hunter2@host/x`)).toBe(`${scheme}://user:••••@host/x`);
  });
  test.each(["a basic idea", "sha256:5be1", hex, "https://host:8080/x", "dapper"])("leaves %s alone", (text) => {
    expect(redact(text)).toBe(text);
  });
  test("of known values, plain and as a message quotes them; short ones would mask words", () => {
    expect(redact(`x p"q\\r-secret y ${JSON.stringify('p"q\\r-secret')} abc`, ['p"q\\r-secret', "abc"])).toBe(
      'x •••• y "••••" abc',
    );
  });
  test("control sequences of others are taken out", () => {
    expect(stripControls("a\u001b[31mb\u001b]0;title\u0007c\u0008d\u009be\nf")).toBe("abcde\nf");
  });
});

describe("what shows nothing, or turns the order of what stands around it", () => {
  const points = (text: string) => [...text].map((each) => each.codePointAt(0) ?? 0);
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const bad = [
    ...[range(0x202a, 0x202e), range(0x2066, 0x2069), range(0x200b, 0x200f), range(0x2060, 0x2064)].flat(),
    ...[0xfeff, 0x061c, 0x2028, 0x2029, 0x00ad, 0x034f, 0x180e, 0x3164, 0xffa0, 0xfe0f, 0xfff9],
    ...[...range(0xe0000, 0xe007f), 0xe0100],
  ];
  test("is shown by its name", () => {
    for (const point of bad) {
      const name = `<U+${point.toString(16).toUpperCase().padStart(4, "0")}>`;
      expect(stripControls(`CHG${String.fromCodePoint(point)}-2041`)).toBe(`CHG${name}-2041`);
    }
    expect(stripControls("limit \u202e05.0\u202c kept")).toBe("limit <U+202E>05.0<U+202C> kept");
    expect(stripControls(stripControls("a\u200bb"))).toBe("a<U+200B>b");
  });
  test.each([
    ["a family, a flag, a keycap and a heart", "👩‍👩‍👧‍👦 🏳️‍🌈 👩🏽‍💻 🤷🏽‍♀️ 1️⃣ ❤️ 🏴󠁧󠁢󠁳󠁣󠁴󠁿"],
    ["Persian, with its joiners kept apart", "می‌خواهم"],
    ["Hindi, with its letters joined", "क्‍ष"],
    ["Hebrew and Arabic with marks of direction", "שלום!\u200f \u200eعربي"],
    ["a Chinese character in another form", "葛\u{e0100}"],
    ["accents", "Zu\u0308rich, Genève"],
  ])("stays where honest text needs it: %s", (_, text) => {
    expect(stripControls(text)).toBe(text);
  });
  test.each([
    ["a joiner behind a picture and before a letter", "✔\u200dpass", 0x200d],
    ["a mark of direction among other letters", "unit \u200f1 - 2", 0x200f],
    ["a flag that goes on and on", `🏴${String.fromCodePoint(...range(0xe0061, 0xe0067), 0xe007f)}`, 0xe0061],
    ["one more form", "葛\u{e0100}\u{e0101}", 0xe0101],
    ["an override among right-to-left letters", "שלום\u202eabc", 0x202e],
  ])("is no honest text: %s", (_, text, point) => {
    expect(stripControls(text)).toContain(`<U+${point.toString(16).toUpperCase()}>`);
    expect(points(stripControls(text))).not.toContain(point);
  });
  test("in JSON it is written as JSON can, and says the same", () => {
    const value = { "na\u2066me": "a\u202eb\u{e0041}c👩‍👧" };
    const text = escapeHidden(JSON.stringify(value));
    expect(text).toBe('{"na\\u2066me":"a\\u202eb\\udb40\\udc41c👩‍👧"}');
    expect(JSON.parse(text)).toEqual(value);
  });
});

describe("a file is written whole or not at all", () => {
  test("over an old one", () => {
    const path = join(folder, "deep/er/file");
    writeFileAtomic(path, "old");
    writeFileAtomic(path, "new");
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(readdirSync(join(folder, "deep/er"))).toEqual(["file"]);
  });
  test("a target that cannot be replaced stays, and nothing is left beside it", () => {
    const path = join(folder, "kept/target");
    mkdirSync(join(path, "inside"), { recursive: true });
    expect(() => writeFileAtomic(path, "x")).toThrow();
    expect(readdirSync(join(folder, "kept"))).toEqual(["target"]);
    expect(readdirSync(path)).toEqual(["inside"]);
  });
});

describe("processes", () => {
  const env = { PATH: "/usr/bin:/bin" };
  const alive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      // A zombie is dead; its state stands in /proc where there is one.
      return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
    } catch {
      return false;
    }
  };
  /** Notes the pid of a grandchild that would outlive its parent. */
  const family = (note: string): string[] => ["sh", "-c", `sleep 60 & echo $! > ${note}; wait`];

  test("a timeout ends grandchildren too", async () => {
    const note = join(folder, "timeout.pid");
    const result = await runProcess({ argv: family(note), cwd: folder, env, timeoutMs: 500 });
    expect(result).toMatchObject({ status: undefined, timedOut: true });
    await pause(100);
    expect(alive(Number(readFileSync(note, "utf8")))).toBe(false);
  });
  test("an abort ends grandchildren too, and is thrown", async () => {
    const note = join(folder, "abort.pid");
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error("interrupted")), 500);
    await expect(runProcess({ argv: family(note), cwd: folder, env, signal: abort.signal })).rejects.toThrow(
      "interrupted",
    );
    await pause(100);
    expect(alive(Number(readFileSync(note, "utf8")))).toBe(false);
  });
  test("output, status and input", async () => {
    const result = await runProcess({ argv: ["sh", "-c", "cat; echo err >&2; exit 7"], cwd: folder, env, input: "in" });
    expect(result).toMatchObject({ status: 7, timedOut: false, stdout: "in", stderr: "err\n" });
  });
  test("a program that is not there", async () => {
    await expect(runProcess({ argv: ["no-such-program-x"], cwd: folder, env })).rejects.toMatchObject({
      code: "process.missing",
      exit: 2,
    });
  });
  test("a file that may not be run", async () => {
    const path = join(folder, "plain");
    writeFileSync(path, "x");
    chmodSync(path, 0o644);
    await expect(runProcess({ argv: [path], cwd: folder, env })).rejects.toMatchObject({
      code: "process.start",
      exit: 4,
    });
  });
  test("nothing is inherited from this process", async () => {
    const { stdout } = await runProcess({ argv: ["env"], cwd: folder, env: { ...env, ONLY: "this" } });
    expect(
      stdout
        .split("\n")
        .filter((line) => line !== "" && !/^(?:PWD|SHLVL|_)=/.test(line))
        .sort(),
    ).toEqual(["ONLY=this", "PATH=/usr/bin:/bin"]);
  });
});

test.each([
  ["abc", 3, "abc"],
  ["ab😀", 3, "ab"],
  ["ab😀", 4, "ab😀"],
  ["a\ud83d b", 9, "a\ufffd b"],
])("%j is cut to %i without halves of a character", (text, most, cut) => {
  expect(cutTo(text, most)).toBe(cut);
  expect(() => canonicalJson(cutTo(text, most))).not.toThrow();
});
