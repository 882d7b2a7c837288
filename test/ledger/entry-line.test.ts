import { describe, expect, test } from "vitest";
import { formatEntry, parseLine } from "../../src/ledger/entry-line.ts";
import { walkChain } from "../../src/ledger/verify-chain.ts";
import { viewOf } from "../../src/ledger/view.ts";
import { chainOf, makePerson, opened, registered, signedPolicy } from "../support/line.ts";

const owner = makePerson("owner@example.com");
const chain = chainOf([
  { fact: opened(signedPolicy({ people: [owner] })), by: owner },
  { fact: registered(1), by: owner },
  { fact: registered(2), by: owner },
]);
const [, second = ""] = chain.lines;

describe("a line", () => {
  test("has its keys in one order and is read back as it was meant", () => {
    expect(Object.keys(JSON.parse(second))).toEqual(
      ["v", "seq", "at", "kind", "by", "key", "body", "prev", "sig", "hash"], // the order that the documents promise
    );
    expect(parseLine(Buffer.from(second))).toMatchObject({
      seq: 2,
      at: "2026-11-25T08:01:00.000Z",
      by: "owner@example.com",
      key: owner.signer.keyId,
      ...registered(1),
    });
  });

  test.each<[string, (line: string) => string, RegExp]>([
    ["another order", (line) => line.replace(/("seq":2),("at":"[^"]+")/, "$2,$1"), /one form/],
    ["a blank", (line) => line.replace(',"at"', ', "at"'), /one form/],
    ["a blank at its end", (line) => `${line} `, /one form/],
    ["a carriage return", (line) => `${line}\r`, /one form/],
    ["a key twice", (line) => line.replace('{"v":1', '{"v":1,"v":1'), /one form/],
    ["a key of the body twice", (line) => line.replace('"run":"run1"', '"run":"run0","run":"run1"'), /one form/],
    ["an escape that is not needed", (line) => line.replace('"run1"', '"\\u0072un1"'), /one form/],
    ["a number in another spelling", (line) => line.replace('"seq":2', '"seq":2.0'), /one form/],
    ["an unknown key", (line) => line.replace(',"by"', ',"to":1,"by"'), /one form/],
    ["an unknown key in the body", (line) => line.replace('"run":', '"ran":1,"run":'), /Unrecognized key/],
    ["__proto__", (line) => line.replace('"run":', '"__proto__":{},"run":'), /./],
    ["an unknown kind", (line) => line.replace('"registered"', '"registred"'), /kind/],
    ["the body of another kind", (line) => line.replace('"registered"', '"promoted"'), /started/],
    ["a version before the first", (line) => line.replace('"v":1', '"v":0'), /one form/],
    ["a later version", (line) => line.replace('"v":1', '"v":2'), /newer factory/],
    ["a time without milliseconds", (line) => line.replace(".000Z", "Z"), /one form/],
    ["a day that is none", (line) => line.replace("2026-11-25T08", "2026-11-31T08"), /one form/],
    ["a time with an offset", (line) => line.replace(".000Z", ".000+00:00"), /one form/],
    [
      "a capital letter in a hash",
      (line) => line.replace(/"hash":"([^"]+)"/, (_, hash) => `"hash":"${hash.toUpperCase()}"`),
      /one form/,
    ],
    ["unused bits in the signature", (line) => line.replace(/(.)=="/, (_, digit) => `${other(digit)}=="`), /one form/],
    ["number 0", (line) => line.replace('"seq":2', '"seq":0'), /one form/],
    ["a number beyond the safe ones", (line) => line.replace('"seq":2', '"seq":9007199254740993'), /one form/],
    ["a lone surrogate", (line) => line.replace('"run1"', '"\\ud800"'), /one form/],
    [
      "a commit with more behind it",
      (line) => line.replace(`${"0".repeat(40)}"`, `${"0".repeat(40)},x=y"`),
      /commit id/,
    ],
    ["nothing", () => "", /one form/],
    ["an array", () => "[]", /./],
    ["arrays 100,000 deep", () => "[".repeat(100_000), /one form/],
  ])("is refused with %s", (_, change, why) => {
    const changed = change(second);
    expect(changed).not.toBe(second);
    const read = parseLine(Buffer.from(changed));
    expect("problem" in read ? read.problem : "taken").toMatch(why);
  });

  test("is refused with bytes that are no UTF-8, where a reader would see the same text", () => {
    const line = formatEntry(
      { kind: "registered", body: { ...registered(1).body, run: "\ufffd" } },
      { seq: 2, at: new Date(), by: "owner@example.com", prev: "0".repeat(64) },
      owner.signer,
    );
    expect(parseLine(Buffer.from(line))).toHaveProperty("seq", 2);
    const broken = Buffer.from(Buffer.from(line).toString("latin1").replace("\u00ef\u00bf\u00bd", "\u00ff"), "latin1");
    expect(broken.toString("utf8")).toBe(line);
    expect(parseLine(broken)).toHaveProperty("problem", "is not UTF-8");
  });
});

test("what no reader would take is not written", () => {
  const place = { seq: 1, at: new Date(), by: "owner@example.com", prev: "0".repeat(64) };
  const fact = { kind: "abandoned", body: { started: 1, environment: "prod", reason: "two\nlines" } } as const;
  expect(() => formatEntry(fact, place, owner.signer)).toThrow(/cannot be an entry of kind abandoned/);
});

test("the whole chain is whole", () => {
  expect(walkChain(chain.text)).toEqual({
    lines: 3,
    head: { seq: 3, hash: chain.entries[2]?.hash },
    problems: [],
  });
  const view = viewOf(chain.text);
  expect(view.problems).toEqual([]);
  expect(view.entries).toEqual(chain.entries);
  expect(view.policy?.version).toBe(1);
});

/** A digit of base64 with the same used bits and other unused ones. */
function other(digit: string): string {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return digits.charAt(digits.indexOf(digit) ^ 1);
}
