import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readZip } from "../../src/lib/zip.ts";
import { type ZipFile, zipOf } from "../support/zip.ts";

const read = (archive: Buffer) => [...readZip(archive)].map(({ name, content }) => [name, content.toString()]);
const GOOD: ZipFile[] = [
  { name: "a/one.py", content: "x = 1\n".repeat(100) },
  { name: "a/ü.py", content: "", flags: 0x800 },
  { name: "a/two.py", content: "two", method: 0 },
  { name: "b/", content: "", method: 0 },
];

test("what Python writes is read, packed and not", () => {
  const folder = mkdtempSync(join(tmpdir(), "factory-zip-"));
  const path = join(folder, "a.whl");
  const script = `
import sys, zipfile
for mode, how in (("w", 8), ("a", 0)):
    with zipfile.ZipFile(sys.argv[1], mode, how) as archive:
        archive.writestr("a/%d.py" % how, "x = 1\\n" * 1000)
class Stream:
    def __init__(self, out): self.write, self.flush = out.write, out.flush
with open(sys.argv[1] + "2", "wb") as out, zipfile.ZipFile(Stream(out), "w", 8) as archive:
    archive.writestr("a/s.py", "x = 1\\n")
    archive.writestr("a/t.py", "")
`;
  const done = spawnSync("python3", ["-c", script, path], { encoding: "utf8" });
  expect(done.stderr).toBe("");
  const text = "x = 1\n".repeat(1000);
  expect(read(readFileSync(path))).toEqual([
    ["a/8.py", text],
    ["a/0.py", text],
  ]);
  // Written where it cannot go back: the figures stand behind each file.
  expect(read(readFileSync(`${path}2`))).toEqual([
    ["a/s.py", "x = 1\n"],
    ["a/t.py", ""],
  ]);
  rmSync(folder, { recursive: true });
});

test("an archive that could be read in two ways is refused", () => {
  const good = zipOf(GOOD);
  expect(read(good).map(([name]) => name)).toEqual(["a/one.py", "a/ü.py", "a/two.py"]);
  const with1 = (more: Partial<ZipFile>) => zipOf([{ name: "a.py", content: "x", ...more }, ...GOOD]);
  const cut = (at: number, insert: string) =>
    Buffer.concat([good.subarray(0, at), Buffer.from(insert), good.subarray(at)]);
  const changed = (at: number, value: number) => {
    const bytes = Buffer.from(good);
    bytes.writeUInt32LE(value, at);
    return bytes;
  };
  const hostile: Record<string, Buffer> = {
    nothing: Buffer.alloc(0),
    "something before it": cut(0, "#!/bin/sh\n"),
    "something behind it": cut(good.length, "x"),
    "something before its list": cut(good.readUInt32LE(good.length - 6), "x"),
    "another name before the file": with1({ stands: { name: "b.py" } }),
    "other bytes before the file": with1({ stands: { content: "longer than x" } }),
    "other bytes of the same length": with1({ method: 0, stands: { content: "y" } }),
    "bytes behind the packed ones": with1({ behind: Buffer.from("more") }),
    encrypted: with1({ flags: 1 }),
    "figures that are not there": with1({ flags: 8 }),
    "a file twice": zipOf([...GOOD, ...GOOD]),
    "a folder with bytes": with1({ name: "a/b/" }),
    "a longer size": changed(22, 0xffffffff),
    "fewer files in its end": changed(good.length - 12, 1),
    ...Object.fromEntries(
      ["", "/a.py", "../a.py", "a/../b.py", "a//b.py", "./a.py", "a\\b.py", "a\0.py", "a\u001b.py"].map((name) => [
        `the name ${JSON.stringify(name)}`,
        with1({ name }),
      ]),
    ),
    "a name in no known writing": with1({ name: "é.py" }),
  };
  for (const [what, archive] of Object.entries(hostile))
    expect(() => read(archive), what).toThrow(expect.objectContaining({ code: "zip.form", exit: 2 }));
});

test("no change of one byte is read as something else without a word", () => {
  const good = zipOf(GOOD);
  const before = JSON.stringify(read(good));
  for (let at = 0; at < good.length; at++) {
    const bytes = Buffer.from(good);
    bytes[at] = (bytes[at] ?? 0) ^ 0x41;
    try {
      const after = read(bytes);
      // Contents are compared by who reads them; names and number must be those of both lists.
      expect(after.length).toBe(JSON.parse(before).length);
    } catch (error) {
      expect(error).toMatchObject({ code: "zip.form" });
    }
  }
});
