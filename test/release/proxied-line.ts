import { expect } from "vitest";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import { type Hooks, type LosingProxy, losingProxy } from "../fakes/losing-proxy.ts";
import { factory } from "../support/factory.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { type LineAnswer, makeLine, type Name, type SmallLine } from "../support/small-line.ts";

type Which = (method: string, url: string) => boolean;

/** Which request of a command is meant. */
export const SETS_ALIAS: Which = (method, url) => method === "POST" && url.endsWith("registered-models/alias");
export const TAKES_ALIAS: Which = (method, url) => method === "DELETE" && url.includes("registered-models/alias");
export const CREATES_VERSION: Which = (method, url) => method === "POST" && url.endsWith("model-versions/create");
export const SETS_TAG: Which = (method, url) => method === "POST" && url.endsWith("registered-models/set-tag");

/** Lines on one real server, each behind a proxy at which a command can be killed, or others let in between. */
export class ProxiedLines {
  line!: SmallLine;
  readonly #hooks: Hooks;
  private constructor(
    readonly server: MlflowServer,
    readonly proxy: LosingProxy,
    hooks: Hooks,
  ) {
    this.#hooks = hooks;
  }

  static async start(): Promise<ProxiedLines> {
    const hooks: Hooks = {};
    const server = await startMlflowServer();
    return new ProxiedLines(server, await losingProxy(server.uri, hooks), hooks);
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
    await this.server.stop();
  }

  /** A new line, whose commands go through the proxy. */
  fresh(options: Omit<Parameters<typeof makeLine>[1] & object, "through"> = {}): SmallLine {
    this.line = makeLine(this.server, { ...options, through: this.proxy.uri });
    return this.line;
  }

  leave(): void {
    delete this.#hooks.afterReply;
    delete this.#hooks.beforeRequest;
    this.line?.remove();
  }

  registry() {
    return openMlflow(this.server.uri, { variables: {} }).registry;
  }

  async model(environment = "prod") {
    const found = await this.registry().model(`${environment}.${this.line.model}`);
    return { aliases: { ...found?.aliases }, tags: { ...found?.tags } };
  }

  /** A registered candidate, compared with who serves in prod. */
  async candidate(text: string): Promise<string> {
    const { champion } = (await this.model()).aliases;
    const found = champion && (await this.registry().version(`prod.${this.line.model}`, champion));
    const digest = found ? found.tags["factory.digest"] : undefined;
    const facts = champion && {
      champion: { environment: "prod", version: champion, digest: digest ?? "", commit: this.line.commit() },
    };
    return this.line.candidate({ text, ...(facts && { facts }) });
  }

  /** A candidate in prod. */
  async promoted(text: string): Promise<string> {
    const number = await this.candidate(text);
    await good(this.line.promote(number, "test"));
    await good(this.line.approve(number, "prod"));
    await good(this.line.promote(number, "prod"));
    return number;
  }

  async released(text: string): Promise<string> {
    const number = await this.promoted(text);
    await good(this.line.release(number, "prod"));
    return number;
  }

  /** A command that is killed right after the first such request took effect. */
  async cut(which: Which, args: readonly string[], variables = this.line.people.ci.variables): Promise<void> {
    let kill = (): void => {};
    this.#hooks.afterReply = (_, { method, url }) => {
      if (which(method, url)) kill();
    };
    const ran = await factory([...args, "--yes", "--json"], {
      cwd: this.line.folder,
      variables,
      started: (child) => {
        kill = () => child.kill("SIGKILL");
      },
    });
    delete this.#hooks.afterReply;
    expect(ran.status, ran.stdout).toBeNull();
  }

  /** Lets something happen right before (or after) the first such request, and then the rest go on. */
  between(which: Which, when: "before" | "after", happens: () => Promise<unknown>): void {
    let done = false;
    const meet = async (method: string, url: string): Promise<void> => {
      if (done || !which(method, url)) return;
      done = true;
      await happens();
    };
    this.#hooks[when === "before" ? "beforeRequest" : "afterReply"] = (_, { method, url }) => meet(method, url);
  }

  run(who: Name, ...args: string[]): Promise<LineAnswer> {
    return this.line.run(who, args);
  }

  kinds(from = 0): string[] {
    return this.line
      .ledger()
      .slice(from)
      .map((each) => each.kind);
  }

  async verified(): Promise<void> {
    expect((await this.run("ci", "verify")).against).toEqual([]);
  }
}

export async function good(answer: Promise<LineAnswer>) {
  const given = await answer;
  expect(given.status, `${JSON.stringify(given.against)}${given.ran.stderr}`).toBe(0);
  return given.data ?? {};
}
