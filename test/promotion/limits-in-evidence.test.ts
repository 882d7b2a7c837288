import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { putEvidence } from "../../src/evidence/objects.ts";
import { readEvidence } from "../../src/evidence/read-evidence.ts";
import { sealEvidence } from "../../src/evidence/seal.ts";
import { signEvidence } from "../../src/evidence/sign-evidence.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { policySchema } from "../../src/policy/policy.ts";
import { gatherEvidence } from "../../src/promotion/facts-of-evidence.ts";
import { attachments, facts, gates } from "../evidence/sample.ts";
import { memoryStore, people, policyText } from "../evidence/world.ts";

const policy = parseYaml(policyText(), "policy.yaml", policySchema);
/** What a decision says against evidence that counts in all else, with this limit in the factory.yaml that it keeps. */
async function problems(min: number, more: object = {}): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), "factory-limits-"));
  try {
    const project = {
      factory: 1,
      project: facts.project,
      model: { name: facts.model.name, train: "train" },
      gates: { model: { run: "true", metrics: [{ name: "roc_auc", min }] } },
      ...more,
    };
    const kept = attachments.map((each) =>
      each.kind === "project" ? { ...each, content: JSON.stringify(project) } : each,
    );
    const evidence = await readEvidence((await sealEvidence(facts, gates, kept, join(folder, "sealed"))).folder);
    const store = memoryStore();
    await putEvidence(store, evidence, await signEvidence(evidence, people.ci), facts.model.name);
    // Who registered it when, and with which commit, is no part of this.
    const { seen } = await gatherEvidence(evidence.digest, [store], "prod", policy, join(folder, "cache"), []);
    return seen.known ? seen.value.problems : [seen.why];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("limits that the statements name are those of the factory.yaml beside them", async () => {
  expect(await problems(0.62)).toEqual([]);
  expect(await problems(0.01)).toEqual([expect.stringContaining("the limits that its statements name")]);
  // An environment that is stricter is no other file.
  const prod = { gates: { model: { metrics: [{ name: "roc_auc", min: 0.7 }] } } };
  expect(await problems(0.62, { environments: { prod } })).toEqual([]);
});
