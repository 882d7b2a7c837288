import * as z from "zod";
import { stripControls } from "../lib/redact.ts";
import type { Entry } from "./entry.ts";

/** What an entry says, in one line for a table. Digests are cut. Pure. */
export function describeEntry(entry: Entry): string {
  return stripControls(sentence(entry)).replace(/\s+/g, " ").trim();
}

function sentence(entry: Entry): string {
  switch (entry.kind) {
    case "opened":
      return `project ${entry.body.project}, model ${entry.body.model}, policy v${entry.body.policy.version} ${short(entry.body.policy.digest)}`;
    case "policy.adopted":
      return `policy v${entry.body.policy.version} ${short(entry.body.policy.digest)}`;
    case "registered":
      return `${candidate(entry.body)} v${entry.body.version}, run ${entry.body.run}, evidence ${short(entry.body.evidence)}`;
    case "approved":
      return approvalText(entry.body.envelope.payload);
    case "approval.withdrawn":
      return `approval ${short(entry.body.approval)}: ${entry.body.reason}`;
    case "promotion.started":
      return `${candidate(entry.body)}, from ${entry.body.from.environment} v${entry.body.from.version}${ticket(entry.body.ticket)}`;
    case "promoted":
      return `${candidate(entry.body)} v${entry.body.version}, ends entry ${entry.body.started}`;
    case "release.started":
      return `${candidate(entry.body)} v${entry.body.version}, ${entry.body.strategy}${ticket(entry.body.ticket)}`;
    case "released":
      return `${candidate(entry.body)} v${entry.body.version}, rollback target ${versionText(entry.body.rollback)}, ends entry ${entry.body.started}`;
    case "rollback.started":
      return `${entry.body.environment}: v${entry.body.from.version} → ${versionText(entry.body.to)}: ${entry.body.reason}${incident(entry.body.incident)}`;
    case "rolledback":
      return `${entry.body.environment}: → ${versionText(entry.body.to)}, ends entry ${entry.body.started}${incident(entry.body.incident)}`;
    case "deploy.started":
      return `${candidate(entry.body)} v${entry.body.version} to ${entry.body.workspace}, files ${short(entry.body.files)}${ticket(entry.body.ticket)}`;
    case "deployed":
      return `${candidate(entry.body)} v${entry.body.version}, files ${short(entry.body.files)} by ${entry.body.tool}, ends entry ${entry.body.started}`;
    case "abandoned":
      return `${entry.body.environment}: entry ${entry.body.started}: ${entry.body.reason}`;
    default:
      return entry satisfies never;
  }
}

/** As much of an approval's statement as a line shows; whether it counts, is decided elsewhere. */
const approval = z.object({
  predicate: z.object({ model: z.string(), environment: z.string(), role: z.string(), ticket: z.string().nullish() }),
});

function approvalText(payload: string): string {
  try {
    const {
      model,
      environment,
      role,
      ticket: named,
    } = approval.parse(JSON.parse(Buffer.from(payload, "base64").toString("utf8"))).predicate;
    return `${model} → ${environment}, as ${role}${ticket(named ?? undefined)}`;
  } catch {
    return "an envelope that is no approval";
  }
}

function candidate({ model, digest, environment }: { model: string; digest: string; environment: string }): string {
  return `${environment}: ${model} ${short(digest)}`;
}

function versionText(version: "none" | { version: string }): string {
  return version === "none" ? "none" : `v${version.version}`;
}

function ticket(named: string | undefined): string {
  return named === undefined ? "" : `, ticket ${named}`;
}

function incident(named: string | undefined): string {
  return named === undefined ? "" : `, incident ${named}`;
}

function short(digest: string): string {
  return `sha256:${digest.slice(0, 12)}…`;
}
