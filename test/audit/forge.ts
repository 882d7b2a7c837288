import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry, EntryBody, Fact } from "../../src/ledger/entry.ts";
import { formatEntry, parseLine } from "../../src/ledger/entry-line.ts";
import { decisionBundle, decisionOf } from "../../src/promotion/decision-bundle.ts";
import type { LinePerson } from "../support/small-line.ts";

/**
 * A chain in which somebody with a key that counts has written the last promotion into prod as they liked, on a chain that ends
 * before its approval. Its bundle lies in the cache, as it would in the store.
 */
export function forgedPromotion(
  text: string,
  ci: LinePerson,
  change: (body: EntryBody<"promotion.started">) => EntryBody<"promotion.started">,
  cache: string,
): string {
  const all = text.split("\n").slice(0, -1).map(entryOf);
  const honest = all.findLast((each) => each.kind === "promotion.started" && each.body.environment === "prod");
  const end = all.findLast((each) => each.kind === "promoted" && each.body.environment === "prod");
  const approved = all.findLast((each) => each.kind === "approved");
  if (honest?.kind !== "promotion.started" || end?.kind !== "promoted" || approved === undefined)
    throw new Error("the story has no such entries");
  const entries = all.slice(0, approved.seq - 1);
  const lines = text.split("\n").slice(0, approved.seq - 1);
  const append = (fact: Fact, at: string): Entry => {
    const last = entries.at(-1);
    const place = { seq: entries.length + 1, at: new Date(at), by: ci.address, prev: last?.hash ?? "" };
    const line = formatEntry(fact, place, ci.signer);
    const entry = entryOf(line);
    entries.push(entry);
    lines.push(line);
    return entry;
  };
  const body = change(honest.body);
  const started = append({ kind: "promotion.started", body }, honest.at);
  if (started.kind !== "promotion.started") throw new Error("a start came back as another kind");
  const bundle = decisionBundle(
    started,
    decisionOf("promote", body, { model: body.target, project: "claims-triage", factory: "0.1.0" }),
    { manifest: readFileSync(join(cache, body.evidence, "model/manifest.sha256"), "utf8"), entries },
    { by: ci.address, signer: ci.signer },
  );
  append({ kind: "promoted", body: { ...end.body, started: started.seq, bundle: bundle.digest } }, end.at);
  mkdirSync(join(cache, bundle.digest), { recursive: true });
  for (const file of bundle.files) writeFileSync(join(cache, bundle.digest, file.path), file.text);
  return lines.map((line) => `${line}\n`).join("");
}

function entryOf(line: string): Entry {
  const entry = parseLine(Buffer.from(line));
  if ("problem" in entry) throw new Error(entry.problem);
  return entry;
}
