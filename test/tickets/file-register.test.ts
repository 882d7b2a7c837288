import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { sha256 } from "../../src/lib/hash.ts";
import { openTicketFile, ticketId, ticketsOf } from "../../src/tickets/file-register.ts";
import { recordDigest } from "../../src/tickets/ticket.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "factory-tickets-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function register(text: string) {
  const path = join(folder, "tickets.yaml");
  writeFileSync(path, text);
  return openTicketFile(path);
}

const GOOD = `factory: 1
tickets:
  CHG-2041:
    state: approved
    project: claims-triage
    environment: prod
    summary: first release
    from: 2026-11-21T14:00:00+01:00
    until: 2026-11-30T00:00:00Z
  "7": { state: closed }
  constructor: { state: open }
`;

test("a ticket is what its entry says; one that is not there is undefined", async () => {
  const tickets = register(GOOD);
  expect(await tickets.ticket("CHG-2041")).toEqual({
    id: "CHG-2041",
    state: "approved",
    project: "claims-triage",
    environment: "prod",
    summary: "first release",
    from: "2026-11-21T14:00:00+01:00",
    until: "2026-11-30T00:00:00Z",
  });
  expect(await tickets.ticket("7")).toMatchObject({ state: "closed", project: undefined, from: undefined });
  expect(await tickets.ticket("constructor")).toMatchObject({ state: "open" });
  for (const id of ["chg-2041", "CHG-2042", "", "toString", "__proto__", "hasOwnProperty", " CHG-2041"])
    expect(await tickets.ticket(id)).toBeUndefined();
});

describe("a ticket that is there twice is refused, however its name is written", () => {
  const [no, yes] = ["{ state: rejected }", "{ state: approved }"];
  test.each([
    ["as number and text", `2041: ${no}\n  "2041": ${yes}`, '"2041" is there twice, first in line 3', "leave one"],
    [
      "as text and hexadecimal",
      `"2041": ${no}\n  0x7F9: ${yes}`,
      '"2041" is there twice, first in line 3',
      "leave one",
    ],
    ["as yes and text", `true: ${no}\n  "true": ${yes}`, '"true" is there twice, first in line 3', "leave one"],
    ["as nothing and empty text", `"": ${no}\n  ~: ${yes}`, '"" is there twice, first in line 3', "leave one"],
    ["by an alias", `&a CHG-1: ${no}\n  *a : ${yes}`, "the key *a stands for another text", "write the key as a text"],
    ["by a list", `CHG-1: ${no}\n  ? [CHG-1]\n  : ${yes}`, "a key is no plain text", "write the key as a text"],
    ["by a map", `CHG-1: ${no}\n  ? {CHG-1}\n  : ${yes}`, "a key is no plain text", "write the key as a text"],
  ])("%s", async (_, tickets, message, hint) => {
    await expect(register(`factory: 1\ntickets:\n  ${tickets}\n`).ticket("CHG-1")).rejects.toMatchObject({
      code: "yaml.invalid",
      exit: 2,
      problems: [{ line: 4, message: expect.stringContaining(message), hint: expect.stringContaining(hint) }],
    });
  });
  test("by a merge, which old YAML knows", async () => {
    const text = `%YAML 1.1\n---\nfactory: 1\ntickets:\n  CHG-1: &a ${no}\n  CHG-2: { <<: *a, state: approved }\n`;
    await expect(register(text).ticket("CHG-2")).rejects.toMatchObject({
      problems: [{ line: 6, message: expect.stringContaining("a key is no plain text") }],
    });
  });
  test("a name with an anchor, and one name in two maps, are fine", async () => {
    const tickets = register(`factory: 1\ntickets:\n  &a CHG-1: ${no}\n  2041: ${yes}\n`);
    expect(await tickets.ticket("2041")).toMatchObject({ state: "approved" });
  });
});

describe("a register that is not sound is exit 2, by line", () => {
  const entry = (text: string) => `factory: 1\ntickets:\n  CHG-1: ${text}\n`;
  test.each([
    ["an unknown state", entry("{ state: done }"), 3, '"done" is no state: one of open, approved'],
    ["no state", entry("{}"), 3, "is required: one of open, approved"],
    ["an unknown key", entry("{ state: open, projct: x }"), 3, 'did you mean "project"?'],
    ["a day without a time", entry("{ state: open, from: 2026-11-21 }"), 3, "with its zone"],
    ["a time without a zone", entry("{ state: open, from: 2026-11-21T14:00:00 }"), 3, "with its zone"],
    ["a day that does not exist", entry("{ state: open, until: 2026-02-30T14:00:00Z }"), 3, "with its zone"],
    [
      "an end before its beginning",
      entry("{ state: open, from: 2026-11-22T00:00:00Z, until: 2026-11-21T23:59:59Z }"),
      3,
      "ends before it begins",
    ],
    ["an id with a blank", "factory: 1\ntickets:\n  CHG 1: { state: open }\n", 3, "CHG-2041"],
    ["an id that is a path", "factory: 1\ntickets:\n  ../x: { state: open }\n", 3, "CHG-2041"],
    ["an id with a line feed", 'factory: 1\ntickets:\n  "a\\nb": { state: open }\n', 3, "CHG-2041"],
    ["an escape sequence in a summary", entry('{ state: open, summary: "\\e[2J" }'), 3, "without control characters"],
    ["an id twice", "factory: 1\ntickets:\n  A: { state: open }\n  A: { state: approved }\n", 4, "twice"],
    ["another format", "factory: 2\ntickets: {}\n", 1, "newer factory"],
    ["a list", "- x\n", 1, "object"],
    ["nothing", "", undefined, "object"],
  ])("%s", async (_, text, line, words) => {
    const error = await register(text)
      .ticket("CHG-1")
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    expect(error).toMatchObject({ exit: 2, problems: [expect.objectContaining(line === undefined ? {} : { line })] });
    expect(JSON.stringify(error)).toContain(JSON.stringify(words).slice(1, -1));
  });
});

test("who has no register is shown one that can be written as it stands", async () => {
  const error: unknown = await openTicketFile(join(folder, "none.yaml"))
    .ticket("CHG-1001")
    .catch((thrown: unknown) => thrown);
  const { hint } = z.object({ hint: z.string() }).parse(error);
  const [example = ""] = /\{.*\}/.exec(hint) ?? [];
  expect(await register(`${example}\n`).ticket("CHG-1001")).toMatchObject({ state: "approved" });
});

test("a register that is not there, or no file, is exit 2: not the same as a ticket that is not there", async () => {
  await expect(openTicketFile(join(folder, "none.yaml")).ticket("A")).rejects.toMatchObject({
    code: "tickets.missing",
    exit: 2,
  });
  mkdirSync(join(folder, "dir"));
  await expect(openTicketFile(join(folder, "dir")).ticket("A")).rejects.toMatchObject({ code: "file.kind", exit: 2 });
});

test("a register is told by its name and the digest of its bytes; one that is not UTF-8 has none", async () => {
  const tickets = register(GOOD);
  expect(await tickets.register()).toEqual({ name: "tickets.yaml", digest: sha256(GOOD) });
  // It was read: what is written later is another register.
  writeFileSync(join(folder, "tickets.yaml"), "factory: 1\ntickets: {}\n");
  expect(await tickets.register()).toEqual({ name: "tickets.yaml", digest: sha256(GOOD) });
  writeFileSync(join(folder, "tickets.yaml"), Buffer.concat([Buffer.from(`${GOOD}# `), Buffer.from([0xff])]));
  const path = join(folder, "tickets.yaml");
  await expect(openTicketFile(path).register()).rejects.toMatchObject({ code: "tickets.utf8", exit: 2 });
});

test("the digest of a record is over all of it but the state", async () => {
  const ticket = await register(GOOD).ticket("CHG-2041");
  if (ticket === undefined) throw new Error("it is there");
  const digest = recordDigest(ticket);
  expect(recordDigest({ ...ticket, state: "closed" })).toBe(digest);
  const others = [
    { id: "CHG-2042" },
    { project: undefined },
    { environment: "test" },
    { summary: "another" },
    { from: undefined },
    { until: "2027-11-30T00:00:00Z" },
  ].map((change) => recordDigest({ ...ticket, ...change }));
  expect(new Set([digest, ...others]).size).toBe(7);
});

describe("a register beside a copy of the policy", () => {
  const POLICY = { tickets: { system: "file", path: "tickets.yaml" } } as const;
  const copyIn = (inner: string, text: string) => {
    const path = join(folder, inner, "rules.yaml");
    mkdirSync(join(folder, inner), { recursive: true });
    writeFileSync(path, text);
    writeFileSync(join(folder, inner, "tickets.yaml"), GOOD);
    return path;
  };

  test("does not count below the policy itself, whatever lies in between", async () => {
    writeFileSync(join(folder, "policy.yaml"), "version: 1\n");
    const copy = copyIn("project/governance", "version: 1\n");
    writeFileSync(join(folder, "project", "policy.yaml"), "version: 0\n");
    const error = { code: "tickets.copy", exit: 2, hint: expect.stringContaining(join(folder, "policy.yaml")) };
    await expect(ticketsOf(POLICY, copy)?.ticket("7")).rejects.toMatchObject(error);
    await expect(ticketsOf(POLICY, copy)?.register()).rejects.toMatchObject(error);
  });

  test("counts where the policy above is another one, and where there is none", async () => {
    writeFileSync(join(folder, "policy.yaml"), "version: 1\n");
    expect(await ticketsOf(POLICY, copyIn("project", "version: 2\n"))?.ticket("7")).toMatchObject({ id: "7" });
    rmSync(join(folder, "policy.yaml"));
    expect(await ticketsOf(POLICY, copyIn("project", "version: 1\n"))?.ticket("7")).toMatchObject({ id: "7" });
  });
});

test("the policy's path is beside the policy", async () => {
  register(GOOD);
  const tickets = ticketsOf({ tickets: { system: "file", path: "tickets.yaml" } }, join(folder, "policy.yaml"));
  expect(tickets?.place).toBe(join(folder, "tickets.yaml"));
  expect(await tickets?.ticket("7")).toMatchObject({ id: "7" });
  expect(ticketsOf({}, join(folder, "policy.yaml"))).toBeUndefined();
});

test.each(["CHG-2041", "JIRA-1", "INC0012345", "org/repo#12", "7"])("%s may be an id", (id) => {
  expect(ticketId.safeParse(id).success).toBe(true);
});
test.each(["", "-x", "a b", "a\n", "a;b", "$(x)", "ü", "x".repeat(101), "a'b", "..", "/etc"])("%j may not", (id) => {
  expect(ticketId.safeParse(id).success).toBe(false);
});
