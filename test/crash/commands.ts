import type { Name } from "../support/small-line.ts";
import type { CrashWorld } from "./world.ts";

/** A command, the state that it starts from, and the entry that it ends with. */
export interface Case {
  name: string;
  from: string;
  who: Name;
  args: readonly string[];
  /** The kinds of entries that it writes; the last one ends it. */
  writes: readonly string[];
}

const PROMOTED = ["promotion.started", "promoted"];
const RELEASED = ["release.started", "released"];
const ROLLED_BACK = ["rollback.started", "rolledback"];
const back = ["rollback", "--env", "prod", "--reason", "escalations doubled", "--yes", "--json"];

/** Every command that moves a model, each in the situation in which it has the most to do. */
export const COMMANDS: readonly Case[] = [
  {
    name: "register",
    from: "checked",
    who: "ci",
    args: ["register", "--json"],
    writes: ["opened", "registered"],
  },
  {
    name: "approve",
    from: "tested",
    who: "approver",
    args: ["approve", "1", "--to", "prod", "--ticket", "CHG-1", "--yes", "--json"],
    writes: ["approved"],
  },
  {
    name: "promote",
    from: "approved",
    who: "ci",
    args: ["promote", "1", "--to", "prod", "--ticket", "CHG-1", "--yes", "--json"],
    writes: PROMOTED,
  },
  {
    name: "release",
    from: "second",
    who: "ci",
    args: ["release", "2", "--env", "prod", "--yes", "--json"],
    writes: RELEASED,
  },
  { name: "rollback", from: "second released", who: "ci", args: back, writes: ROLLED_BACK },
  {
    name: "rollback of a release that is half done",
    from: "second half released",
    who: "ci",
    args: back,
    writes: ["abandoned", ...ROLLED_BACK],
  },
];

/** The same commands in other situations. */
export const MORE: readonly Case[] = [
  {
    name: "promote into the second environment",
    from: "registered",
    who: "ci",
    args: ["promote", "1", "--to", "test", "--yes", "--json"],
    writes: PROMOTED,
  },
  {
    name: "promote beside a champion",
    from: "second approved",
    who: "ci",
    args: ["promote", "2", "--to", "prod", "--ticket", "CHG-2", "--yes", "--json"],
    writes: PROMOTED,
  },
  {
    name: "first release",
    from: "promoted",
    who: "ci",
    args: ["release", "1", "--env", "prod", "--yes", "--json"],
    writes: RELEASED,
  },
  { name: "rollback of a first release", from: "released", who: "ci", args: back, writes: ROLLED_BACK },
];

/** Takes two candidates all the way, or to the state `until`, and keeps every state on it. */
export async function keepStates(world: CrashWorld, until?: string): Promise<void> {
  const { line, run } = world;
  const reached = async (name: string): Promise<boolean> => {
    await world.keep(name);
    return name === until;
  };
  line.writePolicy((policy) => {
    const prod = policy.riskTiers.medium?.prod;
    if (typeof prod === "object") prod.ticket = "required";
  });
  line.tickets({ "CHG-1": { state: "approved" }, "CHG-2": { state: "approved" } });
  const step = async (who: Name, ...args: string[]): Promise<void> => {
    const ran = await run(who, [...args, "--yes", "--json"]);
    if (ran.status !== 0) throw new Error(`${args.join(" ")} ended with ${ran.status}:\n${ran.stdout}${ran.stderr}`);
  };
  const first = await line.train("first");
  await line.check(first);
  if (await reached("checked")) return;
  await step("ci", "register");
  if (await reached("registered")) return;
  await step("ci", "promote", "1", "--to", "test");
  if (await reached("tested")) return;
  await step("approver", "approve", "1", "--to", "prod", "--ticket", "CHG-1");
  if (await reached("approved")) return;
  await step("ci", "promote", "1", "--to", "prod", "--ticket", "CHG-1");
  if (await reached("promoted")) return;
  await step("ci", "release", "1", "--env", "prod");
  if (await reached("released")) return;
  const champion = { environment: "prod", version: "1", digest: first.digest, commit: line.commit() };
  await line.check(await line.train("second"), { facts: { champion } });
  await step("ci", "register");
  await step("ci", "promote", "2", "--to", "test");
  await step("approver", "approve", "2", "--to", "prod", "--ticket", "CHG-2");
  if (await reached("second approved")) return;
  await step("ci", "promote", "2", "--to", "prod", "--ticket", "CHG-2");
  if (await reached("second")) return;
  const alias = { kind: "POST registered-models/alias", nth: 1 };
  await run("ci", ["release", "2", "--env", "prod", "--yes"], { killing: { at: alias, when: "after" } });
  if (await reached("second half released")) return;
  await world.back("second");
  await step("ci", "release", "2", "--env", "prod");
  await reached("second released");
}
