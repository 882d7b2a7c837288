import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { approvalStatement } from "../../src/evidence/approval.ts";
import { parseBundle, planBundle, readBundle } from "../../src/evidence/bundle.ts";
import { BUNDLE_FILE, type PlannedBundle } from "../../src/evidence/bundle-index.ts";
import { decisionStatement } from "../../src/evidence/decision.ts";
import { signStatement } from "../../src/evidence/signed-statement.ts";
import { type BundleContext, verifyBundle } from "../../src/evidence/verify-bundle.ts";
import { canonicalJson } from "../../src/lib/canonical-json.ts";
import { type Envelope, signEnvelope } from "../../src/lib/dsse.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { policySchema } from "../../src/policy/policy.ts";
import { DIGEST, MANIFEST } from "./sample.ts";
import { approvalOf, bundleOf, decisionOf, newSigner, POLICY, people, policyRecordOf, policyText } from "./world.ts";

/** Bundles that were put together by somebody who may even hold a key, but not the right one for what is said. */

const EVIDENCE = "5".repeat(64);
const OTHER = "6".repeat(64);
const approve = (more: Parameters<typeof approvalOf>[1] = {}, signer = people.approver) =>
  signStatement(approvalStatement(approvalOf(EVIDENCE, more)), signer);
const decide = (approvals: readonly Envelope[], more: Parameters<typeof decisionOf>[2] = {}, signer = people.ci) =>
  signStatement(decisionStatement(decisionOf(EVIDENCE, approvals, more)), signer);
const plan = (more: Partial<Parameters<typeof planBundle>[0]> = {}) => {
  const approvals = more.approvals ?? [approve()];
  return planBundle({
    evidence: EVIDENCE,
    manifest: MANIFEST,
    approvals,
    decision: more.decision ?? decide(approvals),
    policy: POLICY,
    ...more,
  });
};
const contentsOf = (planned: PlannedBundle) =>
  new Map(planned.files.map(({ path, text }) => [path as string, Buffer.from(text)]));
const read = (planned: PlannedBundle) => parseBundle(contentsOf(planned), planned.digest, "here");
const then = (text: string, at = "2026-11-25T11:00:00Z") => ({
  policy: parseYaml(text, "policy.yaml", policySchema),
  at: new Date(at),
});
/** A decision whose statement was changed before it was signed, by who may sign it. */
const changed = (change: (statement: Record<string, unknown>) => unknown): Envelope => {
  const statement: Record<string, unknown> = JSON.parse(canonicalJson(decisionStatement(decisionOf(EVIDENCE, []))));
  return signEnvelope(Buffer.from(canonicalJson(change(statement))), people.ci);
};
const text = (change: (json: string) => string): Envelope =>
  signEnvelope(Buffer.from(change(canonicalJson(decisionStatement(decisionOf(EVIDENCE, []))))), people.ci);
const alone = (decision: Envelope) => plan({ approvals: [], decision });

describe("a bundle of files that are what its index says", () => {
  test("the honest one holds", () => {
    expect(verifyBundle(read(plan())).flaws).toEqual([]);
    expect(verifyBundle(read(bundleOf(EVIDENCE))).flaws).toEqual([]);
  });

  const forgeries: [string, () => PlannedBundle, code: string, words: RegExp, BundleContext?][] = [
    [
      "an approval of another evidence",
      () => plan({ approvals: [approve({ evidence: OTHER })] }),
      "approval.evidence",
      /666/,
    ],
    ["an approval of other bytes", () => plan({ approvals: [approve({ digest: OTHER })] }), "approval.digest", /666/],
    [
      "an approval for another environment",
      () => plan({ approvals: [approve({ environment: "dev" })] }),
      "approval.environment",
      /is dev.*prod/,
    ],
    [
      "an approval for another project",
      () => plan({ approvals: [approve({ project: "other" })] }),
      "approval.project",
      /is other/,
    ],
    [
      "an approval of another model",
      () => plan({ approvals: [approve({ model: "claims.other" })] }),
      "approval.model",
      /claims\.other/,
    ],
    [
      "an approval of a model whose name only ends alike",
      () =>
        plan({
          approvals: [approve({ model: "age" })],
          decision: decide([approve({ model: "age" })], { model: "prod.triage" }),
        }),
      "approval.model",
      /about age/,
    ],
    ["an approval under other rules", () => plan({ approvals: [approve({ rules: OTHER })] }), "approval.rules", /666/],
    [
      "an approval that had ended",
      () => plan({ approvals: [approve({ notAfter: "2026-11-25T10:59:59.999Z" })] }),
      "approval.expired",
      /ended at/,
    ],
    [
      "an approval with another ticket",
      () => plan({ approvals: [approve({ ticket: "CHG-2" })] }),
      "approval.ticket",
      /CHG-2.*CHG-1/,
    ],
    [
      "an approval by somebody unknown",
      () => plan({ approvals: [approve({}, people.stranger)] }),
      "signature.unknown",
      /approval 1/,
    ],
    [
      "an approval by a service",
      () => plan({ approvals: [approve({ approver: "ci@example.com" }, people.ci)] }),
      "approval.kind",
      /a service/,
    ],
    [
      "an approval in somebody else's name",
      () => plan({ approvals: [approve({}, people.owner)] }),
      "approval.signer",
      /names approver@.*owner@/,
    ],
    [
      "an unknown key under the approver's key id",
      () => {
        const forged = approve({}, people.stranger);
        const signatures = forged.signatures.map(({ sig }) => ({ keyid: people.approver.keyId, sig }));
        return plan({ approvals: [{ ...forged, signatures }] });
      },
      "signature.bad",
      /approval 1/,
    ],
    [
      "a decision in place of an approval",
      () => plan({ approvals: [decide([], {}, people.approver)] }),
      "statement.form",
      /the approval/,
    ],
    [
      "an approval whose subject is not the model that it names",
      () => {
        const statement = approvalStatement(approvalOf(EVIDENCE));
        const [, second] = statement.subject;
        const subject = [{ name: "claims.other", digest: { sha256: DIGEST.model } }, ...(second ? [second] : [])];
        return plan({ approvals: [signStatement({ ...statement, subject }, people.approver)] });
      },
      "statement.contradiction",
      /its subject is not the model/,
    ],
    [
      "an approval that the ledger does not hold",
      () => plan(),
      "approval.unknown",
      /not in the ledger/,
      { approved: () => undefined },
    ],
    [
      "an approval by a key that the policy of its entry had dropped",
      () => plan(),
      "signature.unknown",
      /approval 1/,
      { approved: () => then(policyText({ owner: people.owner, ci: people.ci, approver: newSigner() })) },
    ],
    [
      "an approval that was left out",
      () => plan({ approvals: [], decision: decide([approve()]) }),
      "bundle.approvals",
      /approvals of the decision/,
    ],
    [
      "an approval that was added",
      () => plan({ approvals: [approve(), approve({ role: "other" })], decision: decide([approve()]) }),
      "bundle.approvals",
      /those in the bundle/,
    ],
    [
      "one approval that is counted twice",
      () => plan({ approvals: [approve(), approve()], decision: decide([approve(), approve()]) }),
      "bundle.twice",
      /an approval twice/,
    ],
    [
      "the approvals of a decision in another order",
      () =>
        plan({
          approvals: [approve({ role: "other" }), approve()],
          decision: decide([approve(), approve({ role: "other" })]),
        }),
      "bundle.approvals",
      /approvals of the decision/,
    ],
    ["another manifest", () => plan({ manifest: `${MANIFEST}${OTHER}  more\n` }), "bundle.manifest", /manifest's/],
    [
      "another policy",
      () => plan({ policy: policyRecordOf(policyText(people, 2), people.owner) }),
      "bundle.policy",
      /policy\.yaml/,
    ],
    ["another evidence", () => plan({ evidence: OTHER }), "bundle.evidence", /666/],
    [
      "a decision about another environment than the entry's",
      () => plan(),
      "decision.environment",
      /is prod.*test/,
      { about: { environment: "test" } },
    ],
    [
      "a decision of another kind than the entry's",
      () => plan(),
      "decision.action",
      /is promote.*release/,
      { about: { action: "release" } },
    ],
    [
      "an older decision about other bytes than the entry's",
      () => plan(),
      "decision.digest",
      /666/,
      { about: { digest: OTHER } },
    ],
    [
      "a decision about another model than the entry's",
      () => plan(),
      "decision.model",
      /prod\.other/,
      { about: { model: "prod.other" } },
    ],
    [
      "a decision about another project than the entry's",
      () => plan(),
      "decision.project",
      /other/,
      { about: { project: "other" } },
    ],
    [
      "a project that the policy does not list",
      () => alone(decide([], { project: "pilot" })),
      "bundle.project",
      /lists no project pilot/,
    ],
    [
      "a decision by somebody unknown",
      () => alone(decide([], {}, people.stranger)),
      "signature.unknown",
      /the decision/,
    ],
    [
      "a decision in somebody else's name",
      () => alone(decide([], { by: "owner@example.com" })),
      "decision.signer",
      /names owner@.*ci@/,
    ],
    [
      "a decision by a key that the policy had dropped",
      () => plan(),
      "signature.unknown",
      /the decision/,
      { decided: then(policyText({ owner: people.owner, approver: people.approver, ci: newSigner() })) },
    ],
    [
      "a decision before its key counted",
      () => alone(decide([], { at: "2026-10-31T11:00:00.000Z" })),
      "decision.key",
      /counts from 2026-11-01/,
    ],
    [
      "a decision with another payload type",
      () =>
        alone(
          signEnvelope(
            Buffer.from(canonicalJson(decisionStatement(decisionOf(EVIDENCE, [])))),
            people.ci,
            "application/json",
          ),
        ),
      "signature.type",
      /the decision/,
    ],
    [
      "a decision whose payload was swapped",
      () => alone({ ...decide([]), payload: approve().payload }),
      "signature.bad",
      /the decision/,
    ],
    [
      "a decision that two have signed",
      () =>
        alone({ ...decide([]), signatures: [...decide([]).signatures, ...decide([], {}, people.owner).signatures] }),
      "signature.count",
      /2 signatures/,
    ],
    ["a decision that is not JSON", () => alone(text(() => "yes")), "statement.json", /not JSON/],
    [
      "a decision in which a key stands twice",
      () => alone(text((json) => json.replace('"action":', '"action":"release","action":'))),
      "statement.canonical",
      /a key twice/,
    ],
    ["a decision with white space", () => alone(text((json) => `${json}\n`)), "statement.canonical", /canonical/],
    [
      "a decision that is not UTF-8",
      () => alone(signEnvelope(Buffer.from('{"a":"\xff"}', "latin1"), people.ci)),
      "statement.canonical",
      /canonical/,
    ],
    [
      "a decision with a member that nobody knows",
      () => alone(changed((s) => ({ ...s, trusted: true }))),
      "statement.form",
      /trusted/,
    ],
    [
      "a decision with two subjects",
      () => alone(changed((s) => ({ ...s, subject: [s.subject, s.subject].flat() }))),
      "statement.form",
      /subject/,
    ],
    ["an approval in place of the decision", () => alone(approve({}, people.ci)), "statement.form", /predicateType/],
    [
      "a verdict that contradicts the result",
      () => alone(decide([], { verdicts: [{ rule: "freeze", verdict: "no", why: "frozen" }] })),
      "statement.verdict",
      /freeze says "no"/,
    ],
    [
      "a rule that could not be told",
      () => alone(decide([], { verdicts: [{ rule: "ticket", verdict: "cannot tell", why: "?" }] })),
      "statement.verdict",
      /ticket says/,
    ],
    [
      "a decision that names one environment and resource of another",
      () => alone(text((json) => json.replace("model:prod/", "model:test/"))),
      "statement.contradiction",
      /contradicts itself/,
    ],
    [
      "a decision that failed",
      () => alone(text((json) => json.replace("PASSED", "FAILED"))),
      "statement.form",
      /verificationResult/,
    ],
    [
      "a decision for a SLSA level that nobody verified",
      () => alone(text((json) => json.replace("FACTORY_PROMOTE", "SLSA_BUILD_LEVEL_3"))),
      "statement.form",
      /verifiedLevels/,
    ],
    [
      "a release that says it was a promotion",
      () => alone(text((json) => json.replace("FACTORY_PROMOTE", "FACTORY_RELEASE"))),
      "statement.contradiction",
      /contradicts itself/,
    ],
    [
      "a decision of a policy by one digest under the name of another",
      () => alone(text((json) => json.replace(`policy:${POLICY.digest}`, `policy:${OTHER}`))),
      "statement.contradiction",
      /contradicts itself/,
    ],
  ];
  test.each(forgeries)("%s", (_, forge, code, words, context) => {
    const { flaws } = verifyBundle(read(forge()), context);
    expect(flaws.map((each) => each.code)).toContain(code);
    expect(flaws.find((each) => each.code === code)?.message).toMatch(words);
    // Nothing else is wrong but what follows from it: an approval left out or unknown may count for nothing.
    expect(flaws.length).toBeLessThanOrEqual(2);
  });

  test("a rollback goes by an approval that has ended and under later rules", () => {
    const approvals = [approve({ notAfter: "2026-11-25T10:00:00.000Z", rules: OTHER, ticket: "CHG-0" })];
    const decision = decide(approvals, { action: "rollback", reason: "escalations doubled", undoes: 9, verdicts: [] });
    expect(verifyBundle(read(plan({ approvals, decision }))).flaws).toEqual([]);
  });

  test("an approval whose key was replaced since counts by the policy of its own entry", () => {
    const before = policyText();
    const policy = policyRecordOf(policyText({ ...people, approver: newSigner() }, 2), people.owner);
    const approvals = [approve()];
    const bundle = read(plan({ approvals, policy, decision: decide(approvals, { policy: policy.digest }) }));
    expect(verifyBundle(bundle, { approved: () => then(before) }).flaws).toEqual([]);
    expect(verifyBundle(bundle).flaws).toMatchObject([{ code: "signature.unknown" }]);
  });
});

describe("files that are not a bundle", () => {
  let root = "";
  let count = 0;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "factory-bundle-"));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  /** Writes the honest bundle with a changed index (and the digest that follows from it) or changed files. */
  function folderOf(change: { index?(text: string): string; files?: Record<string, string | undefined> }) {
    count += 1;
    const folder = join(root, String(count));
    mkdirSync(folder);
    let digest = "";
    for (const { path, text } of plan().files) {
      const content = path === BUNDLE_FILE ? (change.index?.(text) ?? text) : text;
      if (path === BUNDLE_FILE) digest = sha256(content);
      writeFileSync(join(folder, path), content);
    }
    for (const [path, text] of Object.entries(change.files ?? {}))
      if (text === undefined) rmSync(join(folder, path));
      else writeFileSync(join(folder, path), text);
    return { folder, digest };
  }
  /** The index follows the files, as a forger would have it. */
  const rewritten = (files: Record<string, string>) =>
    folderOf({
      files,
      index: (text) => {
        const index = JSON.parse(text);
        for (const each of index.files) {
          const content = files[each.path];
          if (content !== undefined)
            Object.assign(each, { sha256: sha256(content), bytes: Buffer.byteLength(content) });
        }
        return `${canonicalJson(index)}\n`;
      },
    });

  test("the honest folder is read", async () => {
    const { folder, digest } = folderOf({});
    expect((await readBundle(folder, digest)).evidence).toBe(EVIDENCE);
  });

  test.each<[string, () => { folder: string; digest: string }, code: string]>([
    ["under another digest", () => ({ ...folderOf({}), digest: OTHER }), "bundle.digest"],
    ["a changed file", () => folderOf({ files: { "policy.yaml": "factory: 1\n" } }), "bundle.changed"],
    ["a missing file", () => folderOf({ files: { "approvals.jsonl": undefined } }), "bundle.lost"],
    ["no index", () => folderOf({ files: { "bundle.json": undefined } }), "bundle.missing"],
    ["an extra file", () => folderOf({ files: { "approvals2.jsonl": "" } }), "bundle.extra"],
    ["a file that differs in case", () => folderOf({ files: { "Decision.jsonl": "" } }), "bundle.extra"],
    ["a folder that is not there", () => ({ folder: join(root, "none"), digest: OTHER }), "bundle.missing"],
    [
      "a link",
      () => {
        const made = folderOf({ files: { "policy.yaml": undefined } });
        symlinkSync(join(root, "1/policy.yaml"), join(made.folder, "policy.yaml"));
        return made;
      },
      "bundle.file",
    ],
    [
      "a key that stands twice in the index",
      () => folderOf({ index: (text) => text.replace('"v":1', '"v":1,"v":1') }),
      "evidence.canonical",
    ],
    ["white space in the index", () => folderOf({ index: (text) => `${text} ` }), "evidence.canonical"],
    ["an index that is cut", () => folderOf({ index: (text) => text.slice(0, 100) }), "evidence.json"],
    ["a later version", () => folderOf({ index: (text) => text.replace('"v":1', '"v":2') }), "bundle.form"],
    [
      "an index with a path out of the folder",
      () => folderOf({ index: (text) => text.replace('"policy.yaml"', '"../policy.yaml"') }),
      "bundle.files",
    ],
    [
      "an index without the approvals",
      () => folderOf({ index: (text) => text.replace(/\{[^{}]*approvals\.jsonl[^{}]*\},/, "") }),
      "bundle.files",
    ],
    [
      "an index in another order",
      () =>
        folderOf({
          index: (text) => {
            const index = JSON.parse(text);
            index.files.reverse();
            return `${canonicalJson(index)}\n`;
          },
        }),
      "bundle.files",
    ],
    [
      "a media type that invites another reader",
      () => folderOf({ index: (text) => text.replace("text/plain", "text/html") }),
      "bundle.files",
    ],
    ["no decision", () => rewritten({ "decision.jsonl": "" }), "bundle.decision"],
    [
      "two decisions",
      () => rewritten({ "decision.jsonl": (plan().files[1]?.text ?? "").repeat(2) }),
      "bundle.decision",
    ],
    [
      "a decision that is cut",
      () => rewritten({ "decision.jsonl": (plan().files[1]?.text ?? "").slice(0, -1) }),
      "envelope.truncated",
    ],
    ["approvals that are no envelopes", () => rewritten({ "approvals.jsonl": "{}\n" }), "envelope.form"],
    ["a policy that is none", () => rewritten({ "policy.yaml": "factory: 1\n" }), "yaml.invalid"],
    [
      "a manifest that is not UTF-8",
      () => {
        const made = rewritten({});
        writeFileSync(join(made.folder, "manifest.sha256"), Buffer.from([255]));
        return made;
      },
      "bundle.changed",
    ],
  ])("%s", async (_, forge, code) => {
    const { folder, digest } = forge();
    await expect(readBundle(folder, digest)).rejects.toMatchObject({ code, exit: 2 });
  });
});
