import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { registrationKeys } from "../../src/audit/audit-evidence.ts";
import { type Approval, approvalStatement } from "../../src/evidence/approval.ts";
import { readBundle } from "../../src/evidence/bundle.ts";
import { bundleContext } from "../../src/evidence/bundle-in-ledger.ts";
import { decisionStatement } from "../../src/evidence/decision.ts";
import { readSigned } from "../../src/evidence/objects.ts";
import { planExport } from "../../src/evidence/plan-export.ts";
import { evidenceStatement, signEvidence, verifySignedEvidence } from "../../src/evidence/sign-evidence.ts";
import { signStatement } from "../../src/evidence/signed-statement.ts";
import { verifyBundle } from "../../src/evidence/verify-bundle.ts";
import { viewOf } from "../../src/ledger/view.ts";
import { canonicalJson } from "../../src/lib/canonical-json.ts";
import { type Envelope, signEnvelope } from "../../src/lib/dsse.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { runProcess } from "../../src/lib/run-process.ts";
import { type Home, makeHome } from "../support/factory.ts";
import { root } from "../support/paths.ts";
import { signatureJudges } from "../support/uv.ts";
import { chainOf } from "./chain.ts";
import { exportedLine, LATER, type LineOptions, promotedLine, rolledBackLine, written } from "./exported.ts";
import { gate } from "./sample.ts";
import { approvalOf, decisionOf, newSigner, POLICY, people, policyRecordOf, policyText } from "./world.ts";

let home: Home;
let python = "";
let work = "";
let line: Awaited<ReturnType<typeof exportedLine>>;
beforeAll(async () => {
  home = makeHome();
  python = join(await signatureJudges(home.variables), "python");
}, 300_000);
afterAll(() => {
  home.remove();
  rmSync(work, { recursive: true, force: true });
});
beforeEach(async () => {
  rmSync(work, { recursive: true, force: true });
  work = mkdtempSync(join(tmpdir(), "factory-outside-"));
  line = await exportedLine(work);
});

// Isolated but for the script's own folder: -I would hide verify.py from the script beside it.
const run = (argv: string[]) =>
  runProcess({ argv: [python, "-E", "-s", "-B", ...argv], cwd: work, env: { PATH: "" }, timeoutMs: 60_000 });
const verify = (...more: string[]) => run([join(root, "docs/verify_all.py"), line.folder, ...more]);
const verifyShort = () => run([join(root, "docs/verify.py"), line.folder]);

/** Flips the lowest bit of the byte in the middle of a file. */
function flip(path: string, at?: number): void {
  const bytes = readFileSync(join(line.folder, path));
  const place = at ?? bytes.length >> 1;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  writeFileSync(join(line.folder, path), bytes);
}

describe("the script in docs", () => {
  test("is plain Python of the standard library and one package, and short enough to be read", () => {
    const text = readFileSync(join(root, "docs/verify.py"), "utf8");
    const code = text
      .replace(/^"""[\s\S]*?"""\n/, "")
      .split("\n")
      .filter((each) => each.trim() !== "" && !each.trim().startsWith("#"));
    expect(code.length).toBeLessThanOrEqual(66);
    expect(code.every((each) => each.length <= 130)).toBe(true);
    const imported = [...text.matchAll(/^(?:from (\w+)|import (.+)$)/gm)].flatMap(
      (match) => match[1] ?? (match[2] ?? "").split(", "),
    );
    expect([...new Set(imported)].sort()).toEqual(
      ["base64", "cryptography", "hashlib", "json", "pathlib", "re", "sys"].sort(),
    );
  });

  test("accepts an export in which everything holds, and says what it saw", async () => {
    const { status, stdout, stderr } = await verify(POLICY.digest);
    expect(status, stdout + stderr).toBe(0);
    expect(stdout.trim().split("\n")).toEqual([
      `ok   ledger ledger.jsonl 5 entries, head 5:${line.chain.hashes.at(-1)}, first policy ${POLICY.digest}`,
      "ok   steps ledger.jsonl 0 begun and not ended",
      "ok   approvals ledger.jsonl 1 signed, 0 withdrawn",
      `ok   evidence ${line.evidence.digest} 4 statements about model ${line.evidence.facts.model.digest}, signed by 1`,
      `ok   bundle ${line.bundle.digest} decision about model ${line.evidence.facts.model.digest}`,
      `ok   decision ${line.bundle.digest} promote of model ${line.evidence.facts.model.digest} to prod, 1 approvals`,
      "ok   complete ledger.jsonl all that it names about 1 of 1 models",
    ]);
  });

  test("the short one verifies ledger, bundle and manifest by itself, and rejects a flipped byte in each", async () => {
    const whole = await verifyShort();
    expect(whole.stdout.trim().split("\n")).toEqual([
      expect.stringMatching(/^ok {3}ledger /),
      expect.stringMatching(/^ok {3}bundle /),
    ]);
    expect(whole.status).toBe(0);
    const bundle = `bundles/${line.bundle.digest}`;
    for (const path of [
      "ledger.jsonl",
      ...["bundle.json", "manifest.sha256", "decision.jsonl", "approvals.jsonl", "policy.yaml"].map(
        (each) => `${bundle}/${each}`,
      ),
    ]) {
      flip(path);
      expect(await verifyShort(), path).toMatchObject({ status: 1, stdout: expect.stringContaining("FLAW") });
      flip(path);
    }
    expect((await verifyShort()).status).toBe(0);
  });

  test("says what to install where the package is missing", async () => {
    const { status, stdout, stderr } = await run(["-S", join(root, "docs/verify_all.py"), line.folder]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr.trim()).toBe("No module named 'cryptography': pip install cryptography");
  });

  test("judges each signature by the policy of its own entry", async () => {
    rmSync(line.folder, { recursive: true });
    line = await exportedLine(work, { later: true });
    const { status, stdout } = await verify(POLICY.digest);
    expect(status, stdout).toBe(0);
    expect(stdout).toContain("6 entries");
    // Factory reads the same chain in the same way.
    expect(viewOf(Buffer.from(line.chain.text)).problems).toEqual([]);
    const dropped = line.said.map((each, i) => (i === 6 || i === 5 ? { ...each, signer: people.ci } : each));
    line.put("ledger.jsonl", chainOf(dropped).text);
    expect((await verify()).stdout).toMatch(/^FLAW ledger .*not in the policy/);
    expect(viewOf(Buffer.from(chainOf(dropped).text)).problems).toHaveLength(1);
  });

  test("accepts a release and a rollback, each about the bytes that serve then", async () => {
    rmSync(line.folder, { recursive: true });
    rmSync(join(work, "sealed"), { recursive: true });
    const longer = written(work, await rolledBackLine(work));
    const { status, stdout } = await verify(POLICY.digest);
    expect(status, stdout).toBe(0);
    for (const action of ["promote", "release", "rollback"])
      expect(stdout).toContain(`${action} of model ${line.evidence.facts.model.digest} to prod`);
    // The other model, which the rollback took away, is not in this export.
    expect(stdout).toContain("all that it names about 1 of 2 models");
    rmSync(join(line.folder, "bundles", longer.bundles[2]?.digest ?? "none"), { recursive: true });
    expect((await verify()).stdout).toMatch(/FLAW complete .*though the ledger names it/);
    for (const [path, bytes] of longer.store.objects.get(longer.bundles[2]?.digest ?? "") ?? [])
      line.put(`bundles/${longer.bundles[2]?.digest}/${path}`, bytes);
    const view = viewOf(Buffer.from(longer.chain.text));
    expect(view.problems).toEqual([]);
    for (const entry of view.entries) {
      if (entry.kind !== "promoted" && entry.kind !== "released" && entry.kind !== "rolledback") continue;
      const digest = entry.body.bundle ?? "";
      const bundle = await readBundle(join(line.folder, "bundles", digest), digest);
      expect(verifyBundle(bundle, bundleContext(view, entry)).flaws).toEqual([]);
    }
    expect(planExport(view.entries, line.evidence.facts.model.digest).map((each) => each.digest)).toEqual([
      line.evidence.digest,
      ...longer.bundles.map((each) => each.digest),
    ]);
  });

  test("rejects a rollback without a decision to what was never released there", async () => {
    rmSync(line.folder, { recursive: true });
    rmSync(join(work, "sealed"), { recursive: true });
    const longer = await rolledBackLine(work);
    const [started, ended] = longer.said.slice(-2);
    if (started?.kind !== "rollback.started" || ended?.kind !== "rolledback") throw new Error("another line");
    const { bundle: _, ...body } = ended.body;
    const forged = (to: typeof body.to) => [
      { ...started, body: { ...started.body, to } },
      { ...ended, body: { ...body, to } },
    ];
    written(work, { ...longer, chain: chainOf([...longer.said.slice(0, -2), ...forged(body.to)]) });
    rmSync(join(line.folder, "bundles", longer.bundles[2]?.digest ?? "none"), { recursive: true });
    expect((await verify()).status).toBe(0);
    for (const to of [started.body.from, { ...started.body.from, version: "1" }]) {
      line.put("ledger.jsonl", chainOf([...longer.said.slice(0, -2), ...forged(to)]).text);
      expect((await verify()).stdout).toMatch(/FLAW steps .*entry 9 goes back to what was never released there/);
    }
  });

  test("evidence that was registered again under a later policy counts by either of its policies", async () => {
    const ci = newSigner();
    const policy = policyRecordOf(policyText({ ...people, ci }, 2), people.owner);
    const [, second] = line.said;
    if (second?.kind !== "registered") throw new Error("another line");
    const adopted = { kind: "policy.adopted", body: { policy }, by: "ci@example.com", signer: ci } as const;
    const said = [...line.said, adopted, { ...second, signer: ci }];
    line.put("ledger.jsonl", chainOf(said).text);
    for (const { path, text } of await signEvidence(line.evidence, ci))
      line.put(`evidence/${line.evidence.digest}/${path}`, text);
    const { status, stdout } = await verify();
    expect(status, stdout).toBe(0);
    expect(stdout).toContain("signed by 2");
    const view = viewOf(Buffer.from(chainOf(said).text));
    const signed = await readSigned(join(line.folder, "evidence", line.evidence.digest));
    const keys = registrationKeys(view, line.evidence.digest);
    expect((await verifySignedEvidence(signed.evidence, signed.signatures, keys)).signedBy).toHaveLength(2);
    line.put("ledger.jsonl", chainOf(said.slice(0, -1)).text);
    expect((await verify()).stdout).toMatch(/FLAW evidence .*not in the policy/);
  });

  test("a decision is one under the policy that was in force when it was begun, whatever came between", async () => {
    rmSync(line.folder, { recursive: true });
    line = await exportedLine(work, { between: true });
    expect((await verify()).stdout).not.toContain("FLAW");
    for (const folder of [line.folder, join(work, "sealed")]) rmSync(folder, { recursive: true });
    line = await exportedLine(work, {
      between: true,
      forge: (evidence, approval) => ({
        policy: LATER.policy,
        decision: signStatement(
          decisionStatement(decisionOf(evidence, [approval], { policy: LATER.policy.digest })),
          LATER.ci,
        ),
      }),
    });
    expect((await verify()).stdout).toMatch(/FLAW bundle .*was not in force when it was begun/);
  });

  test("knows the first policy by its digest as factory prints it, too", async () => {
    expect((await verify(`sha256:${POLICY.digest}`)).status).toBe(0);
  });

  test("says of a folder that is not there, or none of ours, that nothing can be verified", async () => {
    const { status, stdout } = await run([join(root, "docs/verify_all.py"), join(work, "nowhere")]);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^FLAW ledger .*No such file/);
    expect(stdout).toMatch(/FLAW complete ledger.jsonl there is no ledger to go by/);
  });

  test("rejects the export of somebody else's policy", async () => {
    const { status, stdout } = await verify("0".repeat(64));
    expect(status).toBe(1);
    expect(stdout).toContain("the first policy is another one");
  });

  test("rejects one flipped byte in any file", async () => {
    const files = readdirSync(line.folder, { recursive: true, withFileTypes: true })
      .filter((each) => each.isFile())
      .map((each) => join(each.parentPath, each.name).slice(line.folder.length + 1));
    expect(files.length).toBeGreaterThan(15);
    for (const path of files) {
      const before = readFileSync(join(line.folder, path));
      flip(path);
      const { status, stdout } = await verify();
      expect(status, `${path}\n${stdout}`).toBe(1);
      expect(stdout).toContain("FLAW");
      writeFileSync(join(line.folder, path), before);
    }
    expect((await verify()).status).toBe(0);
  }, 120_000);

  test("rejects one flipped byte in every entry of the ledger, and in each part of an entry", async () => {
    const text = readFileSync(join(line.folder, "ledger.jsonl"), "utf8");
    const places = ['"kind":"approved"', '"by":"approver', '"prev":"', '"sig":"', '"hash":"', '"seq":3', '"at":"2026'];
    flip("ledger.jsonl", text.lastIndexOf('","hash":"') + 12);
    expect((await verify()).stdout).toMatch(/^FLAW ledger .*entry 5: hash/);
    writeFileSync(join(line.folder, "ledger.jsonl"), text);
    const third = text.split("\n").slice(0, 2).join("\n").length;
    for (const place of places) {
      flip("ledger.jsonl", text.indexOf(place, third) + place.length - 1 - (place.endsWith('"') ? -3 : 0));
      expect((await verify()).stdout, place).toMatch(/^FLAW ledger/);
      writeFileSync(join(line.folder, "ledger.jsonl"), text);
    }
  });

  const sign = (statement: Parameters<typeof signStatement>[0], signer = people.ci) => signStatement(statement, signer);
  /** Forgeries whose hashes are right, by somebody who holds a key but not that of the person. */
  const said = () => line.said;
  test.each<[string, () => void, RegExp]>([
    [
      "an entry signed with a key that the policy does not list",
      () =>
        line.put(
          "ledger.jsonl",
          chainOf(said().map((each, i) => (i === 4 ? { ...each, signer: people.stranger } : each))).text,
        ),
      /FLAW ledger .*not in the policy/,
    ],
    [
      "a later policy that no owner of the one before signed",
      () => {
        const forged = policyRecordOf(policyText({ ...people, owner: people.stranger }, 2), people.stranger);
        const more = {
          kind: "policy.adopted",
          body: { policy: forged },
          by: "ci@example.com",
          signer: people.ci,
        } as const;
        line.put("ledger.jsonl", chainOf([...said(), more]).text);
      },
      /FLAW ledger .*not in the policy/,
    ],
    [
      "a later policy whose owner signed another one",
      () => {
        const honest = policyRecordOf(policyText(people, 2), people.owner);
        const forged = { ...policyRecordOf(policyText(people, 3)), signatures: honest.signatures };
        const more = {
          kind: "policy.adopted",
          body: { policy: forged },
          by: "ci@example.com",
          signer: people.ci,
        } as const;
        line.put("ledger.jsonl", chainOf([...said(), more]).text);
      },
      /FLAW ledger .*entry 6: who signed the policy/,
    ],
    [
      "a later policy that nobody signed",
      () => {
        const forged = policyRecordOf(policyText(people, 2));
        const more = {
          kind: "policy.adopted",
          body: { policy: forged },
          by: "ci@example.com",
          signer: people.ci,
        } as const;
        line.put("ledger.jsonl", chainOf([...said(), more]).text);
      },
      /FLAW ledger .*entry 6: who signed the policy/,
    ],
    [
      "a key that the policy has in a comment only",
      () => {
        const commented = policyText().replace(
          "people:",
          `# ${people.stranger.publicKey}\npeople: # ${people.stranger.publicKey}`,
        );
        const policy = policyRecordOf(commented, people.owner);
        const opened = { kind: "opened", body: { project: "x", model: "y.z", policy }, by: "ci@example.com" } as const;
        line.put("ledger.jsonl", chainOf([{ ...opened, signer: people.stranger }]).text);
      },
      /FLAW ledger .*not in the policy/,
    ],
    [
      "an approval in the ledger by a key that does not count",
      () => {
        const envelope = sign(approvalStatement(approvalOf("9".repeat(64))), people.stranger);
        const more = {
          kind: "approved",
          body: { envelope },
          by: "approver@example.com",
          signer: people.approver,
        } as const;
        line.put("ledger.jsonl", chainOf([...said(), more]).text);
      },
      /FLAW approvals .*not in the policy/,
    ],
    [
      "a policy under which an owner's decision stands, about a model whose manifest reads like one",
      () => {
        const text = `${"c".repeat(64)}  MLmodel\n${"d".repeat(64)}  ${people.stranger.publicKey}\n`;
        const about = decisionStatement(
          decisionOf("9".repeat(64), [], { digest: sha256(text), by: "owner@example.com" }),
        );
        const policy = { digest: sha256(text), version: 2, text, signatures: [sign(about, people.owner)] };
        const by = { by: "owner@example.com", signer: people.stranger };
        line.put("ledger.jsonl", chainOf([...said(), { kind: "policy.adopted", body: { policy }, ...by }]).text);
      },
      /FLAW ledger .*a statement of another kind/,
    ],
    [
      "the signature under evidence as an approval",
      () => {
        const envelope = sign(evidenceStatement(line.evidence), people.approver);
        const more = {
          kind: "approved",
          body: { envelope },
          by: "approver@example.com",
          signer: people.approver,
        } as const;
        line.put("ledger.jsonl", chainOf([...said(), more]).text);
      },
      /FLAW approvals .*a statement of another kind/,
    ],
    ["a last line that is cut", () => line.put("ledger.jsonl", line.chain.text.slice(0, -9)), /FLAW ledger .*is cut/],
    [
      "a key that stands twice in an entry",
      () => {
        const [last = ""] = line.chain.text.trimEnd().split("\n").slice(-1);
        const unsigned = last.slice(0, last.lastIndexOf(',"sig":')).replace('"v":1', '"v":1,"v":1');
        const unhashed = `${unsigned},"sig":"${people.ci.sign(Buffer.from(unsigned)).toString("base64")}"`;
        line.put("ledger.jsonl", line.chain.text.replace(last, `${unhashed},"hash":"${sha256(unhashed)}"}`));
      },
      /FLAW ledger .*a key stands twice/,
    ],
    [
      "a dropped entry",
      () => line.put("ledger.jsonl", line.chain.text.split("\n").toSpliced(1, 1).join("\n")),
      /FLAW ledger .*entry 2 does not follow/,
    ],
    [
      "an approval that the ledger does not hold",
      () => {
        const [, , third] = said();
        if (third?.kind !== "approved") throw new Error("another line");
        const envelope = sign(approvalStatement(approvalOf("9".repeat(64))), people.approver);
        line.put("ledger.jsonl", chainOf(said().with(2, { ...third, body: { envelope } })).text);
      },
      /FLAW decision .*approval of something else/,
    ],
    [
      "evidence that the ledger says is about another model",
      () => {
        const [, second] = said();
        if (second?.kind !== "registered") throw new Error("another line");
        const other = { ...second, body: { ...second.body, digest: "9".repeat(64) } };
        line.put("ledger.jsonl", chainOf(said().with(1, other)).text);
      },
      /FLAW evidence .*another model/,
    ],
    [
      "evidence that nobody signed",
      () => rmSync(join(line.folder, "evidence", line.evidence.digest, "signatures"), { recursive: true }),
      /FLAW evidence .*nobody signed it/,
    ],
    [
      "signatures under which somebody else's are put",
      () => {
        const at = `evidence/${line.evidence.digest}/signatures`;
        const [name = ""] = readdirSync(join(line.folder, at));
        const text = readFileSync(join(line.folder, at, name), "utf8");
        line.put(`${at}/${name}`, text.split("\n").slice(1).join("\n"));
      },
      /FLAW evidence .*signatures of something else/,
    ],
    [
      "an extra file",
      () => line.put(`bundles/${line.bundle.digest}/more.txt`, "x"),
      /FLAW decision .*files missing or extra/,
    ],
    ...["signatures/extra", "approvals/more.txt"].map((path): [string, () => void, RegExp] => [
      `an extra file ${path} in a bundle`,
      () => line.put(`bundles/${line.bundle.digest}/${path}`, "x"),
      /FLAW decision .*files missing or extra/,
    ]),
    ...["", "/more", "/signatures", "/policy.yaml"].map((path): [string, () => void, RegExp] => [
      `a link in the place of ${path === "" ? "a bundle" : path}`,
      () => {
        const at = join(line.folder, "bundles", `${line.bundle.digest}${path}`);
        const elsewhere = join(work, "elsewhere");
        // What it leads to may well be right, or nothing that would be listed.
        if (existsSync(at)) renameSync(at, elsewhere);
        else mkdirSync(elsewhere);
        symlinkSync(elsewhere, at);
      },
      /FLAW decision .*a symbolic link/,
    ]),
    [
      "a link among the signatures of evidence",
      () => {
        const at = join(line.folder, "evidence", line.evidence.digest, "signatures");
        renameSync(at, join(work, "elsewhere"));
        symlinkSync(join(work, "elsewhere"), at);
      },
      /FLAW evidence .*a symbolic link/,
    ],
    ...([1, 3, 5] as const).map((started): [string, () => void, RegExp] => [
      `a promotion that says that entry ${started} began it`,
      () => {
        const last = said()[4];
        if (last?.kind !== "promoted") throw new Error("another line");
        line.put("ledger.jsonl", chainOf(said().with(4, { ...last, body: { ...last.body, started } })).text);
      },
      /FLAW steps .*ends what was not begun/,
    ]),
    [
      "a promotion whose start was ended before",
      () => {
        const [start, last] = said().slice(3);
        if (start?.kind !== "promotion.started" || last?.kind !== "promoted") throw new Error("another line");
        const { environment } = last.body;
        const body = { environment, started: 4, reason: "given up" };
        const given = { ...start, kind: "abandoned" as const, body };
        line.put("ledger.jsonl", chainOf([...said().slice(0, 4), given, last]).text);
      },
      /FLAW steps .*ends what was not begun/,
    ],
    [
      "a promotion of other bytes than it was begun with",
      () => {
        const last = said()[4];
        if (last?.kind !== "promoted") throw new Error("another line");
        const body = { ...last.body, digest: "9".repeat(64) };
        line.put("ledger.jsonl", chainOf(said().with(4, { ...last, body })).text);
      },
      /FLAW steps .*another \['digest'\]/,
    ],
    [
      "a promotion without a bundle",
      () => {
        const last = said()[4];
        if (last?.kind !== "promoted") throw new Error("another line");
        const { bundle: _, ...body } = last.body;
        // @ts-expect-error No promotion of ours is without one.
        line.put("ledger.jsonl", chainOf(said().with(4, { ...last, body })).text);
        rmSync(join(line.folder, "bundles"), { recursive: true });
      },
      /FLAW steps .*names no bundle/,
    ],
    [
      "a second promotion that rests on the bundle of the first",
      () => {
        const [start, last] = said().slice(3);
        if (start?.kind !== "promotion.started" || last?.kind !== "promoted") throw new Error("another line");
        const again = [
          { ...start, body: { ...start.body, digest: "9".repeat(64) } },
          { ...last, body: { ...last.body, digest: "9".repeat(64), started: 6, version: "2" } },
        ];
        line.put("ledger.jsonl", chainOf([...said(), ...again]).text);
      },
      /FLAW decision .*several entries name it/,
    ],
    [
      "a bundle that lies in another folder, where nobody looks at it",
      () => {
        mkdirSync(join(line.folder, "more"));
        renameSync(join(line.folder, "bundles", line.bundle.digest), join(line.folder, "more", line.bundle.digest));
        line.put(`evidence/${line.bundle.digest}`, "");
      },
      /FLAW complete .*bundles\/[0-9a-f]{64}/,
    ],
    [
      "an approval that was withdrawn before",
      () => {
        const [start, last] = said().slice(3);
        if (start?.kind !== "promotion.started" || last?.kind !== "promoted") throw new Error("another line");
        const body = { approval: line.chain.hashes[2] ?? "", reason: "found a leak" };
        const taken = {
          kind: "approval.withdrawn",
          body,
          by: "approver@example.com",
          signer: people.approver,
        } as const;
        const after = { ...last, body: { ...last.body, started: 5 } };
        line.put("ledger.jsonl", chainOf([...said().slice(0, 3), taken, start, after]).text);
      },
      /FLAW decision .*withdrawn before/,
    ],
    ...[2, 4].map((named): [string, () => void, RegExp] => [
      `an approval that was withdrawn, and entered again by somebody else; the promotion names entry ${named + 1}`,
      () => {
        const [approved, start, last] = said().slice(2);
        if (approved?.kind !== "approved" || start?.kind !== "promotion.started" || last?.kind !== "promoted")
          throw new Error("another line");
        const body = { approval: line.chain.hashes[2] ?? "", reason: "found a leak" };
        const { by, signer } = approved;
        const taken = { kind: "approval.withdrawn", body, by, signer } as const;
        const again = { ...approved, by: "owner@example.com", signer: people.owner };
        const before = [...said().slice(0, 3), taken, again];
        const approvals = [chainOf(before).hashes[named] ?? ""];
        const begun = { ...start, body: { ...start.body, approvals } };
        const after = { ...last, body: { ...last.body, started: 6 } };
        line.put("ledger.jsonl", chainOf([...before, begun, after]).text);
      },
      named === 2 ? /FLAW decision .*withdrawn before/ : /FLAW decision .*approval of something else/,
    ]),
    [
      "a promotion that was begun on no approval",
      () => {
        const start = said()[3];
        if (start?.kind !== "promotion.started") throw new Error("another line");
        const begun = { ...start, body: { ...start.body, approvals: [] } };
        line.put("ledger.jsonl", chainOf(said().with(3, begun)).text);
      },
      /FLAW decision .*other approvals than it was begun with/,
    ],
    [
      "a signature under evidence that is counted twice",
      () => {
        const at = `evidence/${line.evidence.digest}/signatures`;
        const [name = ""] = readdirSync(join(line.folder, at));
        line.put(`${at}/${people.owner.keyId}.jsonl`, readFileSync(join(line.folder, at, name), "utf8"));
      },
      /FLAW evidence .*another key than the one in the file's name/,
    ],
    [
      "signatures under evidence of which two signed a part each",
      () => {
        const path = `evidence/${line.evidence.digest}/signatures/${people.ci.keyId}.jsonl`;
        const own = readFileSync(join(line.folder, path), "utf8").trimEnd().split("\n").slice(0, -1);
        const whole = canonicalJson(sign(evidenceStatement(line.evidence), people.owner));
        line.put(path, `${[...own, whole].join("\n")}\n`);
      },
      /FLAW evidence .*another key than the one in the file's name/,
    ],
    [
      "a bundle that the ledger does not name",
      () => {
        const index = JSON.stringify({ v: 1, evidence: line.evidence.digest, files: [] });
        line.put(`bundles/${sha256(index)}/bundle.json`, index);
      },
      /FLAW bundle .*does not name/,
    ],
    [
      "a bundle without its evidence",
      () => rmSync(join(line.folder, "evidence"), { recursive: true }),
      /FLAW decision .*its evidence is not here/,
    ],
    [
      "a bundle that the ledger names and the folder does not hold",
      () => rmSync(join(line.folder, "bundles"), { recursive: true }),
      /FLAW complete .*though the ledger names it/,
    ],
    [
      "an empty folder beside the ledger",
      () => {
        for (const each of ["evidence", "bundles"]) rmSync(join(line.folder, each), { recursive: true });
      },
      /FLAW complete .*everything/,
    ],
    ["no ledger", () => rmSync(join(line.folder, "ledger.jsonl")), /FLAW ledger/],
  ])("rejects %s", async (_, change, reason) => {
    change();
    const { status, stdout } = await verify();
    expect(stdout).toMatch(reason);
    expect(status).toBe(1);
  });

  /** By somebody whose key counts, so that every digest and signature is right. */
  const decide = (...args: Parameters<typeof decisionOf>) => sign(decisionStatement(decisionOf(...args)));
  /** A decision as factory would never write it. */
  const altered = (evidence: string, approval: Envelope, from: string, to: string): Envelope => {
    const text = canonicalJson(decisionStatement(decisionOf(evidence, [approval])));
    if (!text.includes(from)) throw new Error(`${from} is not in the decision`);
    return signEnvelope(Buffer.from(text.replace(from, to)), people.ci);
  };
  test.each<[string, Partial<Approval>, RegExp]>([
    ["for another environment", { environment: "dev" }, /FLAW decision .*approval of something else/],
    ["that had ended", { notAfter: "2020-01-01T00:00:00.000Z" }, /FLAW decision .*had ended/],
    ["under other rules", { rules: "9".repeat(64) }, /FLAW decision .*approval of something else/],
    ["for another project", { project: "other" }, /FLAW decision .*approval of something else/],
    ["for another model", { model: "claims.other" }, /FLAW decision .*approval of something else/],
    ["for another ticket", { ticket: "CHG-2" }, /FLAW decision .*approval of something else/],
    ["in somebody else's name", { approver: "owner@example.com" }, /FLAW decision .*approval of something else/],
  ])("rejects a bundle that rests on an approval %s", async (_, terms, reason) => {
    for (const folder of [line.folder, join(work, "sealed")]) rmSync(folder, { recursive: true });
    const given = sign(approvalStatement(approvalOf(line.evidence.digest, terms)), people.approver);
    const promoted = await promotedLine(work, {
      forge: (evidence) => ({ approvals: [given], decision: decide(evidence, [given]) }),
    });
    const entries = promoted.said.map((each) =>
      each.kind === "approved" ? { ...each, body: { envelope: given } } : each,
    );
    line = written(work, { ...promoted, said: entries, chain: chainOf(entries) });
    expect((await verify()).stdout).toMatch(reason);
  });

  test("rejects a promotion on one approval that was entered twice", async () => {
    const [opened, registered, approved, start, last] = line.said;
    if (opened === undefined || registered === undefined || approved?.kind !== "approved")
      throw new Error("another line");
    if (start === undefined || last?.kind !== "promoted") throw new Error("another line");
    for (const folder of [line.folder, join(work, "sealed")]) rmSync(folder, { recursive: true });
    const promoted = await promotedLine(work, {
      forge: (evidence, approval) => ({
        approvals: [approval, approval],
        decision: decide(evidence, [approval, approval]),
      }),
    });
    const body = { ...last.body, started: 5, bundle: promoted.bundle.digest };
    const said = [opened, registered, approved, approved, start, { ...last, body }];
    line = written(work, { ...promoted, said, chain: chainOf(said) });
    expect((await verify()).stdout).toMatch(/FLAW decision .*an approval that counts twice/);
  });

  test("rejects a promotion on evidence of which a gate did not pass", async () => {
    for (const folder of [line.folder, join(work, "sealed")]) rmSync(folder, { recursive: true });
    line = await exportedLine(work, { gates: [gate("unit", "pass"), gate("data", "fail"), gate("model", "error")] });
    const { status, stdout } = await verify();
    expect(stdout).toMatch(/FLAW decision .*gates of its evidence did not pass: \['data', 'model'\]/);
    expect(status).toBe(1);
  });

  test("rejects a decision that says another time than that of its start", async () => {
    for (const folder of [line.folder, join(work, "sealed")]) rmSync(folder, { recursive: true });
    const early = { at: "2026-11-24T11:00:00.000Z" };
    line = await exportedLine(work, {
      forge: (evidence, approval) => ({ decision: decide(evidence, [approval], early) }),
    });
    expect((await verify()).stdout).toMatch(/FLAW decision .*of another time than it was begun/);
  });

  test.each<[string, LineOptions["forge"] & object, RegExp]>([
    [
      "a decision about another model",
      (evidence, approval) => ({ decision: decide(evidence, [approval], { digest: "9".repeat(64) }) }),
      /FLAW bundle .*about another model/,
    ],
    ["another manifest", () => ({ manifest: `${"9".repeat(64)}  MLmodel\n` }), /FLAW bundle .*about another model/],
    [
      "a decision for another environment",
      (evidence, approval) => ({ decision: decide(evidence, [approval], { environment: "dev" }) }),
      /FLAW decision .*another decision/,
    ],
    [
      "a decision that says FAILED",
      (evidence, approval) => ({ decision: altered(evidence, approval, '"PASSED"', '"FAILED"') }),
      /FLAW decision .*FAILED/,
    ],
    [
      "a decision with a no in it",
      (evidence, approval) => ({ decision: altered(evidence, approval, '"verdict":"yes"', '"verdict":"no"') }),
      /FLAW decision .*not yes/,
    ],
    [
      "a decision of another action than its entry",
      (evidence, approval) => ({ decision: decide(evidence, [approval], { action: "release" }) }),
      /FLAW decision .*another decision: .*release/,
    ],
    [
      "a decision under another policy than the one beside it",
      (evidence, approval) => ({ decision: decide(evidence, [approval], { policy: "9".repeat(64) }) }),
      /FLAW decision .*another decision/,
    ],
    [
      "a policy that was never in force",
      () => ({ policy: policyRecordOf(policyText(people, 3), people.owner) }),
      /FLAW bundle .*was not in force/,
    ],
    [
      "a decision that rests on another evidence",
      (_, approval) => ({ decision: decide("9".repeat(64), [approval]) }),
      /FLAW decision .*another evidence or approval/,
    ],
    ["an approval left out", () => ({ approvals: [] }), /FLAW decision .*another evidence or approval/],
    [
      "an approval that the ledger does not hold",
      (evidence) => {
        const other = sign(approvalStatement(approvalOf(evidence, { role: "other" })), people.approver);
        return { approvals: [other], decision: decide(evidence, [other]) };
      },
      /FLAW decision .*approval of something else/,
    ],
    [
      "another evidence than the one that is here",
      (_, approval) => ({ evidence: "9".repeat(64), decision: decide("9".repeat(64), [approval]) }),
      /FLAW decision .*another evidence than it was begun with/,
    ],
    [
      "an approval that counts twice",
      (evidence, approval) => ({ approvals: [approval, approval], decision: decide(evidence, [approval, approval]) }),
      /FLAW decision .*other approvals than it was begun with/,
    ],
    [
      "a decision of another project",
      (evidence, approval) => ({ decision: decide(evidence, [approval], { project: "other" }) }),
      /FLAW decision .*about another project or model/,
    ],
    [
      "a decision about a model of another name",
      (evidence, approval) => ({ decision: decide(evidence, [approval], { model: "prod.claims.other" }) }),
      /FLAW decision .*about another project or model/,
    ],
    [
      "a decision by other rules",
      (evidence, approval) => ({ decision: decide(evidence, [approval], { rules: "9".repeat(64) }) }),
      /FLAW decision .*other rules, or another ticket/,
    ],
    [
      "a decision by an unknown key",
      (evidence, approval) => ({
        decision: sign(decisionStatement(decisionOf(evidence, [approval])), people.stranger),
      }),
      /FLAW bundle .*not in the policy/,
    ],
  ])("rejects a bundle with %s", async (_, forge, reason) => {
    rmSync(line.folder, { recursive: true });
    rmSync(join(work, "sealed"), { recursive: true });
    line = await exportedLine(work, { forge });
    const { status, stdout } = await verify();
    expect(stdout).toMatch(reason);
    expect(stdout).toMatch(/^ok {3}ledger/);
    expect(status).toBe(1);
    // Factory's own reader refuses it too.
    const view = viewOf(Buffer.from(line.chain.text));
    const entry = view.entries.find((each) => each.kind === "promoted");
    if (entry?.kind !== "promoted") throw new Error("no promotion");
    const bundle = await readBundle(join(line.folder, "bundles", line.bundle.digest), line.bundle.digest);
    expect(verifyBundle(bundle, bundleContext(view, entry)).flaws).not.toEqual([]);
  });
});

/** Every line of a `.jsonl` file as a DSSE envelope of securesystemslib, verified with the key given. */
const DSSE_CHECK = `
import json, sys
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
path, keyid, public = sys.argv[1:]
key = SSlibKey(keyid, "ed25519", "ed25519", {"public": public})
lines = open(path, "rb").read().splitlines()
for line in lines:
    Envelope.from_dict(json.loads(line)).verify([key], 1)
print(len(lines), "verified")
`;

describe("an independent DSSE verifier", () => {
  const judge = (path: string, signer: { keyId: string; publicKey: string }) =>
    run([
      "-c",
      DSSE_CHECK,
      join(line.folder, path),
      signer.keyId,
      Buffer.from(signer.publicKey.slice("ed25519:".length), "base64").toString("hex"),
    ]);
  const files = () =>
    [
      [`evidence/${line.evidence.digest}/signatures/${people.ci.keyId}.jsonl`, people.ci, 5],
      [`bundles/${line.bundle.digest}/decision.jsonl`, people.ci, 1],
      [`bundles/${line.bundle.digest}/approvals.jsonl`, people.approver, 1],
      [`bundles/${line.bundle.digest}/policy.sigs.jsonl`, people.owner, 1],
    ] as const;

  test("verifies evidence, decision, approval and policy", async () => {
    for (const [path, signer, count] of files()) {
      const { status, stdout, stderr } = await judge(path, signer);
      expect(status, stderr).toBe(0);
      expect(stdout.trim()).toBe(`${count} verified`);
    }
  });

  test("rejects a flipped byte, and another person's key", async () => {
    for (const [path, signer] of files()) {
      const before = readFileSync(join(line.folder, path), "utf8");
      const [, payload = ""] = /"payload":"([^"]+)"/.exec(before) ?? [];
      const bytes = Buffer.from(payload, "base64");
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      line.put(path, before.replace(payload, bytes.toString("base64")));
      expect((await judge(path, signer)).status, path).not.toBe(0);
      line.put(path, before);
      expect((await judge(path, people.stranger)).status, path).not.toBe(0);
    }
  });
});
