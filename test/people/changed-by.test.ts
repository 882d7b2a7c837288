import { describe, expect, test } from "vitest";
import { changedBy } from "../../src/people/changed-by.ts";
import type { Commit } from "../../src/people/history.ts";
import { normaliseAddress } from "../../src/policy/address.ts";

describe("addresses", () => {
  test.each([
    ["author@example.com", "author@example.com"],
    ["Author@Example.COM", "author@example.com"],
    [" author@example.com ", "author@example.com"],
    ["author+tag@example.com", "author@example.com"],
    ["author+a+b@example.com", "author@example.com"],
    ["author@example.com.", "author@example.com"],
    ["ａｕｔｈｏｒ@example.com", "author@example.com"],
    ["AUTHOR@EXAMPLE．COM", "author@example.com"],
    ["1234+octo@users.noreply.github.com", "1234@users.noreply.github.com"],
    ["аuthor@example.com", undefined],
    ["author@exämple.com", undefined],
    ["aut\u200bhor@example.com", undefined],
    ["author@example.com\u0000", undefined],
    ["author", undefined],
    ["github-web-flow", undefined],
    ["a@b@c", undefined],
    ["@example.com", undefined],
    ["+tag@example.com", undefined],
    ["author@", undefined],
    ["", undefined],
    ["two words@example.com", undefined],
  ])("%j → %j", (address, expected) => {
    expect(normaliseAddress(address)).toBe(expected);
  });
});

function commit(author: string, committer = author, ...coAuthors: string[]): Commit {
  const by = (address: string) => ({ name: "N", address });
  return { id: "0".repeat(40), author: by(author), committer: by(committer), coAuthors: coAuthors.map(by) };
}

test("a commit counts once per person, whatever the part", () => {
  const found = changedBy(
    [commit("a@x.ch", "A+ci@x.ch", "b@x.ch"), commit("b@x.ch"), commit("c@x.ch", "a@x.ch")],
    undefined,
  );
  expect(found).toEqual({
    since: undefined,
    commits: 3,
    people: [
      { address: "a@x.ch", known: true, changes: 2 },
      { address: "b@x.ch", known: true, changes: 2 },
      { address: "c@x.ch", known: true, changes: 1 },
    ],
  });
});

test("an address that only looks like another is kept apart and marked", () => {
  const found = changedBy([commit("a@x.ch"), commit("а@x.ch")], undefined);
  expect(found.people).toEqual([
    { address: "a@x.ch", known: true, changes: 1 },
    { address: "а@x.ch", known: false, changes: 1 },
  ]);
});

test("an unknown address never merges with a known one that has the mark in its name", () => {
  const found = changedBy([commit("?x@y.ch"), commit("x@y.ch ä")], undefined);
  expect(found.people.map((person) => person.known)).toEqual([true, false]);
});
