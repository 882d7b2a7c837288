import * as z from "zod";
import type { Entry, EntryKind, Fact } from "../../src/ledger/entry.ts";
import type { EntryOf } from "../../src/ledger/line-state.ts";
import { unityLine } from "../clients/unity-catalog/line-parts.ts";
import type { FakeWorkspace } from "../fakes/workspace/server.ts";
import { serving } from "../fakes/workspace/serving/state.ts";
import { entriesOf, forgeEntry, lastOf } from "../support/ledger-by-hand.ts";
import type { MlflowServer } from "../support/mlflow-server.ts";
import type { Name, SmallLine } from "../support/small-line.ts";
import { good } from "./line-in-prod.ts";

const verified = z.object({ findings: z.array(z.object({ verdict: z.string(), message: z.string() })) });

/** A line in catalogs that releases to an endpoint of its own, with what a test asks of both. */
export class EndpointLine {
  private constructor(
    readonly line: SmallLine,
    readonly fake: FakeWorkspace,
    readonly endpoint: string,
  ) {}

  static async make(server: MlflowServer, fake: FakeWorkspace, endpoint: string): Promise<EndpointLine> {
    const line = await unityLine(server, fake, fake.url, {
      project(project) {
        project.release = { endpoint };
      },
    });
    return new EndpointLine(line, fake, endpoint);
  }

  /** What answers requests, as `v1 100`; undefined: there is no endpoint. */
  answering(endpoint = this.endpoint): string[] | undefined {
    const active = serving.of(this.fake.state).endpoints.get(endpoint)?.active;
    return active?.routes.flatMap(({ served_entity_name: name, traffic_percentage: share }) => {
      const entity = active.served_entities.find((each) => each.name === name);
      return share === 0 ? [] : [`v${entity?.entity_version} ${share}`];
    });
  }

  /** As somebody with rights on it would, in the workspace's screens. */
  routeByHand(version: string): void {
    const entities = serving.of(this.fake.state).endpoints.get(this.endpoint)?.active?.served_entities ?? [];
    for (const each of entities) each.entity_version = version;
  }

  /** A candidate that has come to the environment, and is not released there. */
  async promoted(text: string, environment: "test" | "prod", wish: { project?: string } = {}): Promise<string> {
    const served = this.entries().findLast((each) => each.kind === "released");
    const facts =
      served?.kind === "released"
        ? { champion: { ...placed(served.body), environment: served.body.environment, commit: this.line.commit() } }
        : {};
    const number = await this.line.candidate({ text, facts, ...wish });
    await good(this.line.promote(number, "test"));
    if (environment === "test") return number;
    await good(this.line.approve(number, "prod"));
    await good(this.line.promote(number, "prod"));
    return number;
  }

  entries(): Entry[] {
    return entriesOf(this.line);
  }

  last<K extends EntryKind>(kind: K): EntryOf<K> {
    return lastOf(this.line, kind);
  }

  /** An entry as a listed person can sign it with a client of their own; old enough to be carried on by anybody. */
  forge(who: Name, fact: Fact): void {
    forgeEntry(this.line, who, fact);
  }

  /** Exit status of `verify`, and what it found. */
  async verified(): Promise<{ status: number | null; no: string[]; open: string[]; notes: string[] }> {
    const answer = await this.line.run("ci", ["verify"]);
    const findings = answer.data === undefined ? [] : verified.parse(answer.data).findings;
    const of = (verdict: string) => findings.flatMap((each) => (each.verdict === verdict ? [each.message] : []));
    return { status: answer.status, no: of("no"), open: answer.against, notes: of("note") };
  }
}

export function placed(body: { version: string; digest: string; createdAt: number }) {
  return { version: body.version, digest: body.digest, createdAt: body.createdAt };
}
