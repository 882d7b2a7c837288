import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import type { Entry, EntryKind, Fact } from "../../src/ledger/entry.ts";
import type { EntryOf } from "../../src/ledger/line-state.ts";
import { type Hooks, type LosingProxy, losingProxy } from "../fakes/losing-proxy.ts";
import { factory } from "../support/factory.ts";
import { entriesOf, forgeEntry, lastOf } from "../support/ledger-by-hand.ts";
import { type LineAnswer, type LineWish, makeLine, type Name, type SmallLine } from "../support/small-line.ts";

export async function good(answer: Promise<LineAnswer>): Promise<LineAnswer> {
  const given = await answer;
  expect(given.status, `${given.ran.stdout}${given.ran.stderr}`).toBe(0);
  return given;
}

export type Match = (method: string, url: string) => boolean;

/** Two environments and no approvals: for what happens after a release, whatever led to it. */
export const SHORT: NonNullable<LineWish["policy"]> = (policy) => {
  policy.environments = policy.environments.filter((each) => each.name !== "test");
  delete policy.riskTiers?.medium?.test;
  delete policy.riskTiers?.medium?.prod?.approvals;
};

/** A line whose candidates serve in prod, one after the other, on a server whose replies can be watched. */
export class LineInProd {
  readonly line: SmallLine;
  private readonly hooks: Hooks;
  private readonly proxy: LosingProxy;
  private readonly uri: string;

  private constructor(line: SmallLine, uri: string, proxy: LosingProxy, hooks: Hooks) {
    this.line = line;
    this.uri = uri;
    this.proxy = proxy;
    this.hooks = hooks;
  }

  static async make({ uri }: { uri: string }, wish: LineWish = {}): Promise<LineInProd> {
    const hooks: Hooks = {};
    const proxy = await losingProxy(uri, hooks);
    return new LineInProd(makeLine({ uri }, { ...wish, through: proxy.uri }), uri, proxy, hooks);
  }

  /** A short one, with these candidates released. */
  static async released(server: { uri: string }, ...texts: string[]): Promise<LineInProd> {
    const of = await LineInProd.make(server, { policy: SHORT });
    for (const text of texts) await of.release(text);
    return of;
  }

  get registry() {
    return openMlflow(this.uri, { variables: {} }).registry;
  }

  async champion(): Promise<string | undefined> {
    return (await this.registry.model(`prod.${this.line.model}`))?.aliases.champion;
  }

  /** A candidate in prod, which was compared with who serves there. */
  async promote(text: string): Promise<string> {
    const { line } = this;
    const number = await this.candidate(text);
    const { environments, riskTiers } = line.policy();
    if (environments.some((each) => each.name === "test")) await good(line.promote(number, "test"));
    if (riskTiers?.medium?.prod?.approvals !== undefined) await good(line.approve(number, "prod"));
    await good(line.promote(number, "prod"));
    return number;
  }

  async candidate(text: string): Promise<string> {
    const { line, registry } = this;
    const serves = await this.champion();
    const found = serves === undefined ? undefined : await registry.version(`prod.${line.model}`, serves);
    const digest = found?.tags["factory.digest"] ?? "";
    const compared = serves && { champion: { environment: "prod", version: serves, digest, commit: line.commit() } };
    return line.candidate({ text, ...(compared && { facts: compared }) });
  }

  async release(text: string): Promise<string> {
    const number = await this.promote(text);
    await good(this.line.release(number, "prod"));
    return number;
  }

  /** Aliases and tags of the model in an environment. */
  async model(environment = "prod") {
    const found = await this.registry.model(`${environment}.${this.line.model}`);
    return { aliases: { ...found?.aliases }, tags: { ...found?.tags } };
  }

  /** Kinds of the ledger's entries after one. */
  kinds(after = 0): string[] {
    return this.line
      .ledger()
      .slice(after)
      .map((each) => each.kind);
  }

  entries(): Entry[] {
    return entriesOf(this.line);
  }

  last<K extends EntryKind>(kind: K): EntryOf<K> {
    return lastOf(this.line, kind);
  }

  /** An entry as a listed person can sign it with a client of their own, old enough to be carried on by anybody; its number. */
  forge(who: Name, fact: Fact, ageMs?: number): number {
    return forgeEntry(this.line, who, fact, ageMs);
  }

  async verified(): Promise<void> {
    expect((await this.line.run("ci", ["verify"])).against).toEqual([]);
  }

  /** Lets something happen right before the first such request, or right after it took effect; then the command goes on. */
  between(when: "before" | "after", match: Match, happens: () => Promise<unknown>): void {
    let done = false;
    this.hooks[when === "before" ? "beforeRequest" : "afterReply"] = async (_, { method, url }) => {
      if (done || !match(method, url)) return;
      done = true;
      await happens();
    };
  }

  /** CI's command, killed right after the registry did such a request. */
  cut(match: Match, ...args: string[]): Promise<void> {
    return this.killed("afterReply", match, args);
  }

  /** The same on another machine of CI's. */
  cutElsewhere(match: Match, variables: Readonly<Record<string, string>>, ...args: string[]): Promise<void> {
    return this.killed("afterReply", match, args, variables);
  }

  /** CI's command, killed right before the registry would do such a request. */
  cutBefore(match: Match, ...args: string[]): Promise<void> {
    return this.killed("beforeRequest", match, args);
  }

  private async killed(
    when: keyof Hooks,
    match: Match,
    args: readonly string[],
    variables: Readonly<Record<string, string>> = this.line.people.ci.variables,
  ): Promise<void> {
    let kill = (): void => {};
    this.hooks[when] = (_, { method, url }) => {
      if (!match(method, url)) return;
      kill();
      if (when === "beforeRequest") throw new Error("its sender was killed");
    };
    const ran = await factory([...args, "--yes", "--json"], {
      cwd: this.line.folder,
      variables,
      started: (child) => {
        kill = () => child.kill("SIGKILL");
      },
    });
    delete this.hooks[when];
    expect(ran.status).toBeNull();
  }

  ledgerGone(): void {
    renameSync(this.line.ledgerPath, `${this.line.ledgerPath}.kept`);
  }

  ledgerBack(): void {
    renameSync(`${this.line.ledgerPath}.kept`, this.line.ledgerPath);
  }

  pending(): string[] {
    return readdirSync(join(this.line.folder, ".factory", "pending"));
  }

  async remove(): Promise<void> {
    await this.proxy.stop();
    this.line.remove();
  }
}

/** The request that takes an alias away. */
export const noAlias = (method: string, url: string): boolean =>
  method === "DELETE" && url.includes("registered-models/alias");
/** The request that makes a version. */
export const create = (method: string, url: string): boolean =>
  method === "POST" && url.endsWith("model-versions/create");
/** The request that moves an alias. */
export const alias = (method: string, url: string): boolean =>
  method === "POST" && url.endsWith("registered-models/alias");
/** The request that sets a tag of a registered model. */
export const tag = (method: string, url: string): boolean =>
  method === "POST" && url.includes("registered-models/set-tag");
