import { describe, expect, test } from "vitest";
import { splitTorn } from "../../src/clients/ledger-bytes.ts";
import type { Fact } from "../../src/ledger/entry.ts";
import { walkChain } from "../../src/ledger/verify-chain.ts";
import { type LedgerView, viewOf } from "../../src/ledger/view.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { chainOf, makePerson, opened, registered, signedPolicy, textOf } from "../support/line.ts";

const owner = makePerson("owner@example.com");
const stranger = makePerson("owner@example.com");
const policy = signedPolicy({ people: [owner] });
const withdrawal: Fact = { kind: "approval.withdrawn", body: { approval: sha256("approval"), reason: "no more" } };
const said = [opened(policy), registered(1), registered(2), withdrawal].map((fact) => ({ fact, by: owner }));
const chain = chainOf(said);
const [l1 = "", l2 = "", l3 = "", l4 = ""] = chain.lines;
const head = chain.entries.at(-1);

/** What a reader of the file sees. */
function seen(bytes: Buffer) {
  const { text, torn } = splitTorn(bytes);
  return viewOf(text, torn);
}

test("the chain itself is whole", () => {
  expect(seen(chain.text)).toMatchObject({ problems: [], tornBytes: 0, head: { seq: 4, hash: head?.hash } });
});

test("cut at any byte of its last three entries: a torn rest is told, and the last entry is gone from the chain", () => {
  const ends = [1, 2, 3].map((lines) => textOf(chain.lines.slice(0, lines)).length);
  const unseen: number[] = [];
  const views = new Map<number, LedgerView>();
  for (let cut = l1.length + 1; cut < chain.text.length; cut++) {
    const { text, torn } = splitTorn(chain.text.subarray(0, cut));
    // The whole lines change at their ends only.
    const view = { ...(views.get(text.length) ?? viewOf(text)), tornBytes: torn.length };
    views.set(text.length, view);
    expect(view.problems).toEqual([]);
    expect(view.entries).toEqual(chain.entries.slice(0, view.entries.length));
    // An anchor of the last entry is in no shorter chain.
    expect(view.entries.some((entry) => entry.hash === head?.hash)).toBe(false);
    if (view.tornBytes === 0) unseen.push(cut);
  }
  // A cut between two lines is what a chain cannot see by itself: docs/ledger.md.
  expect(unseen).toEqual(ends);
});

test("every bit of an entry flipped", () => {
  const start = chain.text.length - l4.length - 1;
  const missed: string[] = [];
  for (let at = start; at < chain.text.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const bytes = Buffer.from(chain.text);
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
      const { text, torn } = splitTorn(bytes);
      if (torn.length === 0 && walkChain(text).problems.length === 0) missed.push(`byte ${at - start}, bit ${bit}`);
      // What the walk finds, the view has; a few of them are looked at.
      if (bit === at % 8 && at % 10 === 0) expect(seen(bytes)).toMatchObject({ entries: chain.entries.slice(0, 3) });
    }
  }
  expect(missed).toEqual([]);
});

describe("lines", () => {
  test.each<[string, string[], number, RegExp]>([
    ["two swapped", [l1, l3, l2, l4], 1, /entry 3 stands where entry 2 belongs/],
    ["the last two swapped", [l1, l2, l4, l3], 2, /entry 4 stands where entry 3 belongs/],
    ["the first dropped", [l2, l3, l4], 0, /entry 2 stands where entry 1 belongs/],
    ["one in the middle dropped", [l1, l2, l4], 2, /entry 4 stands where entry 3 belongs/],
    ["one doubled", [l1, l2, l2, l3, l4], 2, /entry 2 stands where entry 3 belongs/],
    ["the last doubled", [l1, l2, l3, l4, l4], 4, /entry 4 stands where entry 5 belongs/],
    ["an empty one between", [l1, "", l2, l3, l4], 1, /line 2 is no entry/],
    ["another text at the end", [l1, l2, l3, l4, "{}"], 4, /line 5 is no entry/],
    ["another text at the start", ["x", l1, l2, l3, l4], 0, /line 1 is no entry/],
  ])("%s", (_, lines, entries, why) => {
    const view = seen(textOf(lines));
    expect(view.problems[0]?.message).toMatch(why);
    expect(view.entries.length).toBe(entries);
    expect(view.head.seq).toBe(entries);
  });

  test("every problem is told, not the first one only", () => {
    const view = seen(textOf([l1, l2.replace("run1", "run9"), l3, l4.replace("no more", "no less")]));
    expect(view.problems.map((each) => each.seq)).toEqual([2, 4]);
  });
});

describe("the tail rewritten and chained again", () => {
  const changed = [...said.slice(0, 2), { fact: registered(7), by: owner }, ...said.slice(3)];

  test("by somebody without a key", () => {
    // Right numbers, links and hashes; the signatures are those that were there.
    const lines = [l1, l2];
    for (const line of [l3.replaceAll(sha256("model 2"), sha256("model 7")), l4]) {
      const prev = sha256Of(lines.at(-1) ?? "");
      const unhashed = line
        .replace(/"prev":"[0-9a-f]{64}"/, `"prev":"${prev}"`)
        .replace(/,"hash":"[0-9a-f]{64}"\}$/, "");
      lines.push(`${unhashed},"hash":"${sha256(unhashed)}"}`);
    }
    const view = seen(textOf(lines));
    expect(view.entries.length).toBe(2);
    expect(view.problems[0]?.message).toBe("entry 3 has a signature that its key did not make");
  });

  test("with a key that the policy does not list, in the owner's name", () => {
    const forged = chainOf(changed.map((each, i) => (i < 2 ? each : { ...each, by: stranger })));
    const view = seen(textOf([l1, l2, ...forgedTail(forged.lines)]));
    expect(view.entries.length).toBe(2);
    expect(view.problems[0]?.message).toMatch(/entry 3 is signed with a key that does not count: no key with id/);
  });

  test("with that key, under the id of the owner's", () => {
    const lines = [l1, l2];
    for (const { fact } of changed.slice(2)) {
      const prev = sha256Of(lines.at(-1) ?? "");
      const { lines: made } = chainOf([{ fact, by: stranger }]);
      const unsigned = (made[0] ?? "")
        .replace(/"seq":1/, `"seq":${lines.length + 1}`)
        .replace(stranger.signer.keyId, owner.signer.keyId)
        .replace(/"prev":"[0-9a-f]{64}"/, `"prev":"${prev}"`)
        .replace(/,"sig":.*$/, "");
      const unhashed = `${unsigned},"sig":"${stranger.signer.sign(Buffer.from(unsigned)).toString("base64")}"`;
      lines.push(`${unhashed},"hash":"${sha256(unhashed)}"}`);
    }
    const view = seen(textOf(lines));
    expect(view.entries.length).toBe(2);
    expect(view.problems[0]?.message).toBe("entry 3 has a signature that its key did not make");
  });

  test("by the owner: another chain, which lacks the anchored head", () => {
    const view = seen(chainOf(changed).text);
    expect(view.problems).toEqual([]);
    expect(view.entries.some((entry) => entry.hash === head?.hash)).toBe(false);
  });

  /** Entries 1 and 2 are the same bytes: ed25519 signatures are deterministic. */
  function forgedTail(lines: readonly string[]): readonly string[] {
    expect(lines.slice(0, 2)).toEqual([l1, l2]);
    return lines.slice(2);
  }
});

test("a whole chain of another project", () => {
  const view = viewOf(chain.text, Buffer.alloc(0), "claims-other");
  expect(view.entries).toEqual([]);
  expect(view.problems[0]?.message).toBe("entry 1 opens the chain of project claims-triage, not of claims-other");
});

test("an entry of a later format, rightly chained, asks for a newer factory; a damaged one does not", () => {
  const unhashed = l4.replace('"v":1', '"v":2').replace(/,"hash":.*$/, "");
  const later = `${unhashed},"hash":"${sha256(unhashed)}"}`;
  expect(() => seen(textOf([l1, l2, l3, later]))).toThrow(/line 4 of the ledger has format 2/);
  expect(seen(textOf([l1, l2, l3, l4.replace('"v":1', '"v":2')])).problems).not.toEqual([]);
});

function sha256Of(line: string): string {
  return /"hash":"([0-9a-f]{64})"\}$/.exec(line)?.[1] ?? "";
}
