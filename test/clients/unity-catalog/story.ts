import type { Name, TrainedRun } from "../../support/small-line.ts";
import type { CatalogWorld, End, Point } from "./crash-world.ts";

/** A command, and the state that it starts from. */
export interface Case {
  name: string;
  from: string;
  who: Name;
  args: readonly string[];
}

/** What moves a model in catalogs, each in the situation in which it has the most to do, and in others. */
export const CASES = {
  register: { name: "register", from: "checked", who: "ci", args: ["register"] },
  "promote to test": { name: "promote to test", from: "registered", who: "ci", args: ["promote", "1", "--to", "test"] },
  approve: {
    name: "approve",
    from: "tested",
    who: "approver",
    args: ["approve", "1", "--to", "prod", "--ticket", "CHG-1"],
  },
  promote: {
    name: "promote",
    from: "approved",
    who: "ci",
    args: ["promote", "1", "--to", "prod", "--ticket", "CHG-1"],
  },
  "first release": { name: "first release", from: "promoted", who: "ci", args: ["release", "1", "--env", "prod"] },
  "promote beside a champion": {
    name: "promote beside a champion",
    from: "second approved",
    who: "ci",
    args: ["promote", "2", "--to", "prod", "--ticket", "CHG-2"],
  },
  release: { name: "release", from: "second", who: "ci", args: ["release", "2", "--env", "prod"] },
  rollback: {
    name: "rollback",
    from: "second released",
    who: "ci",
    args: ["rollback", "--env", "prod", "--reason", "escalations doubled"],
  },
} as const satisfies Record<string, Case>;

/** What an undisturbed run asks, leaves and takes. */
export interface Undisturbed {
  points: readonly Point[];
  /** As the workspace names its routes, in the order in which they were asked. */
  routes: readonly string[];
  /** Method and address, as often as they were asked. */
  addresses: readonly string[];
  end: End;
  ms: number;
}

/** Two versions on their way to production, as far as somebody asks: states on the way are kept, undisturbed runs known. */
export class Story {
  private readonly known = new Map<string, Undisturbed>();
  private done = 0;
  private first: TrainedRun | undefined;

  constructor(private readonly world: CatalogWorld) {
    world.line.tickets({ "CHG-1": { state: "approved" }, "CHG-2": { state: "approved" } });
  }

  /** Puts the world to where a case starts. */
  async back({ from }: Case, more: { latencyMs?: number; seed?: number } = {}): Promise<void> {
    await this.reach(from);
    await this.world.back(from, more);
  }

  /** Runs a case once without a disturbance, if that was not done yet. */
  async undisturbed(each: Case): Promise<Undisturbed> {
    const known = this.known.get(each.name);
    if (known !== undefined) return known;
    await this.back(each);
    const started = performance.now();
    const ran = await this.world.run(each.who, each.args);
    const ms = performance.now() - started;
    if (ran.status !== 0) throw new Error(`${each.name} ended with ${ran.status}:\n${ran.stdout}${ran.stderr}`);
    const counts = new Map<string, number>();
    const points = this.world.asked().map(({ point }) => {
      counts.set(point, (counts.get(point) ?? 0) + 1);
      return { kind: point, nth: counts.get(point) ?? 0 };
    });
    const log = this.world.log();
    const found = {
      points,
      routes: log.flatMap(({ route }) => route ?? []),
      addresses: log.map(({ method, url }) => `${method} ${url}`),
      end: this.world.end(),
      ms,
    };
    this.known.set(each.name, found);
    return found;
  }

  private async reach(state: string): Promise<void> {
    if (this.world.has(state)) return;
    if (this.done > 0) await this.world.back(this.steps[this.done - 1]?.keeps ?? "");
    while (!this.world.has(state)) {
      const step = this.steps[this.done];
      if (step === undefined) throw new Error(`no state ${state}`);
      await step.go();
      this.world.keep(step.keeps);
      this.done++;
    }
  }

  private readonly steps = [
    {
      keeps: "checked",
      go: async () => {
        this.first = await this.world.line.train("first");
        await this.world.line.check(this.first);
      },
    },
    { keeps: "registered", go: () => this.step(CASES.register) },
    { keeps: "tested", go: () => this.step(CASES["promote to test"]) },
    { keeps: "approved", go: () => this.step(CASES.approve) },
    { keeps: "promoted", go: () => this.step(CASES.promote) },
    { keeps: "released", go: () => this.step(CASES["first release"]) },
    {
      keeps: "second approved",
      go: async () => {
        const { line } = this.world;
        const digest = this.first?.digest ?? "";
        const champion = { environment: "prod", version: "1", digest, commit: line.commit() };
        await line.check(await line.train("second"), { facts: { champion } });
        await this.step(CASES.register);
        await this.step({ who: "ci", args: ["promote", "2", "--to", "test"] });
        await this.step({ who: "approver", args: ["approve", "2", "--to", "prod", "--ticket", "CHG-2"] });
      },
    },
    { keeps: "second", go: () => this.step(CASES["promote beside a champion"]) },
    { keeps: "second released", go: () => this.step(CASES.release) },
  ];

  private async step({ who, args }: Pick<Case, "who" | "args">): Promise<void> {
    const ran = await this.world.run(who, args);
    if (ran.status !== 0) throw new Error(`${args.join(" ")} ended with ${ran.status}:\n${ran.stdout}${ran.stderr}`);
  }
}
