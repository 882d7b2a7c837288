import { readdirSync } from "node:fs";
import { join } from "node:path";
import type * as z from "zod";
import { historyShape } from "../../src/cli/history-lines.ts";
import { statusShape } from "../../src/cli/status-lines.ts";
import { verifyShape } from "../../src/cli/verify-lines.ts";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import type { EvidenceFacts } from "../../src/evidence/facts.ts";
import type { RunOptions } from "../support/factory.ts";
import { factory } from "../support/factory.ts";
import type { MlflowServer } from "../support/mlflow-server.ts";
import { type LineAnswer, makeLine, type SmallLine } from "../support/small-line.ts";

/** A line with its whole story: v1 released, v2 released and rolled back, so that v1 serves again. */
export interface Story {
  line: SmallLine;
  /** Between the two releases, and after the second. */
  between: Date;
  during: Date;
  verify(args?: readonly string[], how?: Partial<RunOptions>): Promise<Seen>;
}

export interface Seen {
  status: number | null;
  data: z.infer<typeof verifyShape> | undefined;
  /** Messages of problems, and of an error. */
  against: string[];
}

export async function tellStory(server: MlflowServer): Promise<Story> {
  const line = makeLine(server);
  line.tickets({ "CHG-1": { state: "approved" }, "CHG-2": { state: "approved" } });
  await release(line, "one", "CHG-1");
  const between = await aMomentLater();
  await release(line, "two", "CHG-2", await comparedWith(line, "1"));
  const during = await aMomentLater();
  const detected = new Date(Date.now() - 90_000).toISOString();
  await good(line.rollback("prod", "--incident", "INC-77", "--detected-at", detected));
  return {
    line,
    between,
    during,
    verify: async (args = [], how = {}) => seen(await line.run("second", ["verify", ...args], how)),
  };
}

/** Times in the ledger have milliseconds; what lies between two of them must not be one of them. */
async function aMomentLater(): Promise<Date> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  const now = new Date();
  await new Promise((resolve) => setTimeout(resolve, 20));
  return now;
}

async function release(line: SmallLine, text: string, ticket: string, facts: Partial<EvidenceFacts> = {}) {
  const number = await line.candidate({ text, facts });
  await good(line.promote(number, "test"));
  await good(line.approve(number, "prod", "approver", "--ticket", ticket));
  await good(line.promote(number, "prod", "--ticket", ticket));
  await good(line.release(number, "prod"));
  return number;
}

/** What evidence says of the champion that it was compared with. */
async function comparedWith(line: SmallLine, version: string): Promise<Partial<EvidenceFacts>> {
  const found = await registryOf(line).version(`prod.${line.model}`, version);
  const digest = found?.tags["factory.digest"] ?? "";
  return { champion: { environment: "prod", version, digest, commit: line.commit() } };
}

export async function good(answer: Promise<LineAnswer>): Promise<LineAnswer> {
  const given = await answer;
  if (given.status !== 0) throw new Error(`ended with ${given.status}: ${JSON.stringify(given.against)}`);
  return given;
}

export function seen(answer: LineAnswer): Seen {
  const data = answer.data === undefined ? undefined : verifyShape.parse(answer.data);
  const problems = data?.findings.filter((each) => each.verdict !== "note").map((each) => each.message) ?? [];
  return { status: answer.status, data, against: [...problems, ...answer.against] };
}

export async function statusOf(line: SmallLine) {
  const { status, data } = await line.run("second", ["status"]);
  return { status, data: statusShape.parse(data) };
}

export async function historyOf(line: SmallLine, ...args: string[]) {
  const { data } = await good(line.run("second", ["history", ...args]));
  return historyShape.parse(data);
}

/** What a person sees on the screen. */
export function screen(line: SmallLine, ...args: string[]) {
  return factory(args, { cwd: line.folder, variables: line.people.second.variables });
}

export function registryOf({ server }: Pick<SmallLine, "server">) {
  return openMlflow(server.uri, { variables: {} }).registry;
}

/** Every file on the server's disk whose path ends so. */
export function artifacts(server: MlflowServer, end: string): string[] {
  return readdirSync(join(server.folder, "artifacts"), { recursive: true, encoding: "utf8" })
    .filter((each) => each.endsWith(end))
    .map((each) => join(server.folder, "artifacts", each));
}

/** Every copy on the server's disk of one file of an object. */
export function storedFiles(server: MlflowServer, digest: string, path: string): string[] {
  return artifacts(server, join("factory-evidence", digest, path));
}
