import type { CatalogWorld } from "./crash-world.ts";

/** Brings a first version to production and a second one after it; keeps the states `approved`, `second approved` and `second`. */
export async function twoVersions(world: CatalogWorld): Promise<void> {
  const { line } = world;
  line.tickets({ "CHG-1": { state: "approved" }, "CHG-2": { state: "approved" } });
  const step = async (who: "ci" | "approver", ...args: string[]): Promise<void> => {
    const ran = await world.run(who, args);
    if (ran.status !== 0) throw new Error(`${args.join(" ")} ended with ${ran.status}:\n${ran.stdout}${ran.stderr}`);
  };
  const first = await line.train("first");
  await line.check(first);
  await step("ci", "register");
  await step("ci", "promote", "1", "--to", "test");
  await step("approver", "approve", "1", "--to", "prod", "--ticket", "CHG-1");
  world.keep("approved");
  await step("ci", "promote", "1", "--to", "prod", "--ticket", "CHG-1");
  await step("ci", "release", "1", "--env", "prod");
  const champion = { environment: "prod", version: "1", digest: first.digest, commit: line.commit() };
  await line.check(await line.train("second"), { facts: { champion } });
  await step("ci", "register");
  await step("ci", "promote", "2", "--to", "test");
  await step("approver", "approve", "2", "--to", "prod", "--ticket", "CHG-2");
  world.keep("second approved");
  await step("ci", "promote", "2", "--to", "prod", "--ticket", "CHG-2");
  world.keep("second");
}
