import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Evidence, readEvidence } from "../../src/evidence/read-evidence.ts";
import { sealEvidence } from "../../src/evidence/seal.ts";
import {
  evidenceStatement,
  readStatements,
  type StatementBytes,
  signStatements,
  verifySignatures,
} from "../../src/evidence/sign-evidence.ts";
import type { SignedFile } from "../../src/evidence/signature-path.ts";
import { signStatement } from "../../src/evidence/signed-statement.ts";
import { type Envelope, envelopeLine, envelopeSchema, signEnvelope } from "../../src/lib/dsse.ts";
import type { Signer } from "../../src/lib/signing.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { listedKey } from "../../src/policy/identity.ts";
import { policySchema } from "../../src/policy/policy.ts";
import { attachments, facts, gates } from "./sample.ts";
import { newSigner, people, policyText } from "./world.ts";

/** Signatures of evidence that somebody made up, changed, or took from elsewhere. */

let root = "";
/** What was registered, and what was checked before it: both signed by the same service. */
let evidence: Evidence;
let older: Evidence;
let statements: StatementBytes[] = [];
let olderStatements: StatementBytes[] = [];
let honest: SignedFile;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "factory-forged-"));
  const seal = async (more: object) =>
    readEvidence((await sealEvidence({ ...facts, ...more }, gates, attachments, root)).folder);
  evidence = await seal({});
  older = await seal({ finished: "2026-11-24T10:03:00.000Z" });
  statements = await readStatements(evidence);
  olderStatements = await readStatements(older);
  honest = signStatements(evidence, statements, people.ci);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const policy = (keys: Parameters<typeof policyText>[0]) => parseYaml(policyText(keys), "policy.yaml", policySchema);
const keyOf = (id: string) => listedKey(policy(people), id);

const parsed = (): Envelope[] =>
  honest.text
    .trimEnd()
    .split("\n")
    .map((line) => envelopeSchema.parse(JSON.parse(line)));
const written = (envelopes: readonly Envelope[]): SignedFile => ({
  ...honest,
  text: envelopes.map(envelopeLine).join(""),
});
/** The honest file with one envelope replaced. */
const replaced = (at: number, change: (envelope: Envelope) => Envelope): SignedFile =>
  written(parsed().map((each, i) => (i === at ? change(each) : each)));
const lines = (change: (lines: string[]) => string[]): SignedFile => ({
  ...honest,
  text: `${change(honest.text.trimEnd().split("\n")).join("\n")}\n`,
});
const withSig = (envelope: Envelope, change: (sig: string, bytes: Buffer) => string): Envelope => ({
  ...envelope,
  signatures: envelope.signatures.map(({ keyid, sig }) => ({ keyid, sig: change(sig, Buffer.from(sig, "base64")) })),
});
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const claimed = (envelope: Envelope, keyid: string): Envelope => ({
  ...envelope,
  signatures: envelope.signatures.map(({ sig }) => ({ keyid, sig })),
});
/** What the service would have signed about something else. */
const whole = (change: (about: { digest: string; facts: Evidence["facts"] }) => object, signer: Signer = people.ci) => {
  const about = { digest: evidence.digest, facts: evidence.facts, files: evidence.files };
  return signStatement(evidenceStatement({ ...about, ...change(about) }), signer);
};
const LAST = 4;

describe("signatures of evidence", () => {
  test("the honest file holds", () => {
    expect(verifySignatures(evidence, statements, [honest], keyOf)).toEqual({ signedBy: [people.ci.keyId], flaws: [] });
    expect(parsed().length).toBe(LAST + 1);
  });

  const forgeries: [string, () => SignedFile, code: string, words: RegExp][] = [
    [
      "a payload swapped under a signature",
      () => replaced(0, (each) => ({ ...each, payload: parsed()[1]?.payload ?? "" })),
      "signature.bad",
      /statements\/data\.json.*did not make/,
    ],
    [
      "other bytes than the file, rightly signed",
      () => replaced(0, () => signEnvelope(Buffer.from("{}"), people.ci)),
      "signature.payload",
      /line 1 \(statements\/data\.json\) carries other bytes/,
    ],
    [
      "the file's JSON without its final line feed",
      () => replaced(0, () => signEnvelope(statements[0]?.bytes.subarray(0, -1) ?? Buffer.from(""), people.ci)),
      "signature.payload",
      /carries other bytes/,
    ],
    [
      "an older, valid statement of the same gate",
      () => replaced(3, () => signEnvelope(olderStatements[3]?.bytes ?? Buffer.from(""), people.ci)),
      "signature.payload",
      /statements\/unit\.json/,
    ],
    [
      "all signatures of an older evidence",
      () => ({ ...honest, text: signStatements(older, olderStatements, people.ci).text }),
      "signature.payload",
      /line 1/,
    ],
    [
      "the statement on the whole of an older evidence",
      () => replaced(LAST, () => signStatement(evidenceStatement(older), people.ci)),
      "signature.other",
      /speaks of another evidence: subject/,
    ],
    [
      "the statement on the whole about another model",
      () =>
        replaced(LAST, () =>
          whole(() => ({ facts: { ...facts, model: { name: "claims.other", digest: facts.model.digest } } })),
        ),
      "signature.other",
      /subject/,
    ],
    [
      "the statement on the whole about other bytes of the model",
      () =>
        replaced(LAST, () => whole(() => ({ facts: { ...facts, model: { ...facts.model, digest: "9".repeat(64) } } }))),
      "signature.other",
      /subject/,
    ],
    [
      "the statement on the whole about another run",
      () => replaced(LAST, () => whole(() => ({ facts: { ...facts, run: { id: "other" } } }))),
      "signature.other",
      /predicate/,
    ],
    [
      "the statement on the whole about another commit",
      () => replaced(LAST, () => whole(() => ({ facts: { ...facts, commit: "2".repeat(40) } }))),
      "signature.other",
      /predicate/,
    ],
    [
      "the statement on the whole with fewer files",
      () => replaced(LAST, () => whole(() => ({ files: evidence.files.slice(1) }))),
      "signature.other",
      /predicate/,
    ],
    [
      "the statement on the whole under another type",
      () =>
        replaced(LAST, () =>
          signStatement({ ...evidenceStatement(evidence), predicateType: "urn:other:v1" }, people.ci),
        ),
      "signature.other",
      /predicateType/,
    ],
    [
      "a key that the policy does not list",
      () => ({
        path: `signatures/${people.stranger.keyId}.jsonl`,
        text: signStatements(evidence, statements, people.stranger).text,
      }),
      "signature.unknown",
      /does not count here/,
    ],
    [
      "an unknown key under a known key's id",
      () =>
        written(
          parsed().map((each, i) =>
            i === 2
              ? claimed(signEnvelope(statements[2]?.bytes ?? Buffer.from(""), people.stranger), people.ci.keyId)
              : each,
          ),
        ),
      "signature.bad",
      /line 3 .*did not make/,
    ],
    [
      "another listed person's signatures under this key's name",
      () => ({ ...honest, text: signStatements(evidence, statements, people.approver).text }),
      "signature.signer",
      /not with the one in the file's name/,
    ],
    [
      "one envelope by another listed person",
      () => replaced(1, () => signEnvelope(statements[1]?.bytes ?? Buffer.from(""), people.approver)),
      "signature.signer",
      /line 2/,
    ],
    [
      "reordered envelopes",
      () => written(parsed().reverse()),
      "signature.order",
      /line 1 .* is the envelope of evidence\.json/,
    ],
    [
      "two envelopes that changed places",
      () => lines(([a = "", b = "", ...rest]) => [b, a, ...rest]),
      "signature.order",
      /line 1 \(statements\/data\.json\) is the envelope of statements\/model\.json/,
    ],
    [
      "one envelope twice in place of another",
      () => lines(([a = "", , ...rest]) => [a, a, ...rest]),
      "signature.order",
      /line 2/,
    ],
    ["a missing envelope", () => lines((all) => all.slice(1)), "signature.number", /holds 4 envelopes.*needs 5/],
    ["no statement on the whole", () => lines((all) => all.slice(0, -1)), "signature.number", /holds 4 envelopes/],
    ["an extra envelope", () => lines((all) => [...all, all[0] ?? ""]), "signature.number", /holds 6 envelopes/],
    ["nothing", () => ({ ...honest, text: "" }), "signature.number", /holds 0 envelopes/],
    [
      "a key that stands twice in an envelope",
      () => lines(([a = "", ...rest]) => [a.replace('{"payload":', '{"payload":"e30=","payload":'), ...rest]),
      "envelope.canonical",
      /line 1 is not in canonical form/,
    ],
    [
      "white space in an envelope",
      () => lines(([a = "", ...rest]) => [a.replace("{", "{ "), ...rest]),
      "envelope.canonical",
      /line 1/,
    ],
    [
      "another order of keys",
      () =>
        lines(([a = "", ...rest]) => [
          JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(a)).reverse())),
          ...rest,
        ]),
      "envelope.canonical",
      /line 1/,
    ],
    [
      "lines that end as on Windows",
      () => lines((all) => all.map((each) => `${each}\r`)),
      "envelope.canonical",
      /line 1/,
    ],
    [
      "an escape in place of a letter",
      () => lines(([a = "", ...rest]) => [a.replace("payloadType", "payload\\u0054ype"), ...rest]),
      "envelope.canonical",
      /line 1/,
    ],
    ["an empty line", () => lines((all) => [...all, ""]), "envelope.json", /line 6 is not JSON/],
    ["a byte order mark", () => ({ ...honest, text: `\ufeff${honest.text}` }), "envelope.json", /line 1/],
    [
      "a file that is cut in a line",
      () => ({ ...honest, text: honest.text.slice(0, -20) }),
      "envelope.truncated",
      /line feed/,
    ],
    [
      "a line that is cut",
      () => ({ ...honest, text: `${honest.text.slice(0, -20)}\n` }),
      "envelope.json",
      /line 5 is not JSON/,
    ],
    [
      "another payload type, rightly signed",
      () => replaced(0, () => signEnvelope(statements[0]?.bytes ?? Buffer.from(""), people.ci, "application/json")),
      "signature.type",
      /"application\/json"/,
    ],
    [
      "a payload type that was changed afterwards",
      () => replaced(0, (each) => ({ ...each, payloadType: "text/plain" })),
      "signature.type",
      /"text\/plain"/,
    ],
    [
      "a signature with trailing bytes",
      () => replaced(0, (each) => withSig(each, (_, bytes) => base64(Buffer.concat([bytes, Buffer.from([0])])))),
      "signature.bad",
      /did not make/,
    ],
    [
      "a signature that is cut",
      () => replaced(0, (each) => withSig(each, (_, bytes) => base64(bytes.subarray(0, 63)))),
      "signature.bad",
      /did not make/,
    ],
    ["an empty signature", () => replaced(0, (each) => withSig(each, () => "")), "signature.bad", /did not make/],
    [
      "a signature whose scalar is out of range",
      () => replaced(0, (each) => withSig(each, (_, bytes) => base64(plusOrder(bytes)))),
      "signature.bad",
      /did not make/,
    ],
    [
      "a signature over the payload alone",
      () => replaced(0, (each) => withSig(each, () => base64(people.ci.sign(Buffer.from(each.payload, "base64"))))),
      "signature.bad",
      /did not make/,
    ],
    [
      "the base64 of a signature with unused bits set",
      () =>
        lines(([a = "", ...rest]) => [
          a.replace(/[AQgw]==/, (end) => `${{ A: "B", Q: "R", g: "h", w: "x" }[end[0] ?? ""]}==`),
          ...rest,
        ]),
      "envelope.form",
      /unused bits/,
    ],
    [
      "base64 with a line break",
      () => lines(([a = "", ...rest]) => [a.replace('"payload":"', '"payload":"\\n'), ...rest]),
      "envelope.form",
      /payload/,
    ],
    [
      "base64url",
      () =>
        replaced(0, (each) =>
          withSig(each, (sig) => sig.replaceAll("+", "-").replaceAll("/", "_").replace(/^../, "-_")),
        ),
      "envelope.form",
      /sig/,
    ],
    [
      "a key id in capital letters",
      () => replaced(0, (each) => claimed(each, people.ci.keyId.toUpperCase())),
      "envelope.form",
      /keyid/,
    ],
    [
      "a second signature in an envelope",
      () =>
        replaced(0, (each) => ({
          ...each,
          signatures: [
            ...each.signatures,
            ...signEnvelope(statements[0]?.bytes ?? Buffer.from(""), people.approver).signatures,
          ],
        })),
      "signature.count",
      /carries 2 signatures/,
    ],
    [
      "an envelope without a signature",
      () => lines(([a = "", ...rest]) => [a.replace(/"signatures":\[.*?\]/, '"signatures":[]'), ...rest]),
      "envelope.form",
      /signatures/,
    ],
    [
      "a member that envelopes do not have",
      () => lines(([a = "", ...rest]) => [a.replace(/\}$/, ',"trusted":true}'), ...rest]),
      "envelope.form",
      /trusted/,
    ],
    ["a file with another name", () => ({ ...honest, path: "signatures/ci.jsonl" }), "signature.path", /no place/],
    [
      "a file in a folder below",
      () => ({ ...honest, path: `signatures/x/${people.ci.keyId}.jsonl` }),
      "signature.path",
      /no place/,
    ],
    [
      "a name that leaves the folder",
      () => ({ ...honest, path: `../signatures/${people.ci.keyId}.jsonl` }),
      "signature.path",
      /no place/,
    ],
  ];
  test.each(forgeries)("%s", (_, forge, code, words) => {
    const file = forge();
    const { signedBy, flaws } = verifySignatures(evidence, statements, [file], keyOf);
    expect(flaws).toEqual([{ code, message: expect.stringMatching(words) }]);
    expect(signedBy).toEqual([]);
    // A flawed file takes nothing from a good one.
    const good = signStatements(evidence, statements, people.owner);
    expect(verifySignatures(evidence, statements, [file, good], keyOf).signedBy).toEqual([people.owner.keyId]);
  });

  test("there are enough of them, and each is another file than the honest one", () => {
    expect(forgeries.length).toBeGreaterThanOrEqual(40);
    const made = forgeries.map(([, forge]) => forge()).map(({ path, text }) => `${path}\n${text}`);
    expect(new Set([...made, `${honest.path}\n${honest.text}`]).size).toBe(made.length + 1);
  });

  test("a key that the policy dropped", () => {
    const later = policy({ owner: people.owner, approver: people.approver, ci: newSigner() });
    const { signedBy, flaws } = verifySignatures(evidence, statements, [honest], (id) => listedKey(later, id));
    expect(signedBy).toEqual([]);
    expect(flaws).toMatchObject([{ code: "signature.unknown" }]);
  });

  test("a flood of signature files", () => {
    const many = Array.from({ length: 21 }, (_, i) => ({
      ...honest,
      path: `signatures/${String(i).padStart(64, "0")}.jsonl`,
    }));
    expect(verifySignatures(evidence, statements, many, keyOf)).toMatchObject({
      signedBy: [],
      flaws: [{ code: "signature.many" }],
    });
  });
});

/** The same signature with the group order added to its scalar: RFC 8032 asks verifiers to refuse it. */
function plusOrder(signature: Buffer): Buffer {
  const order = (1n << 252n) + 27742317777372353535851937790883648493n;
  let scalar = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString("hex")}`) + order;
  const out = Buffer.from(signature);
  for (let i = 32; i < 64; i += 1) {
    out[i] = Number(scalar & 255n);
    scalar >>= 8n;
  }
  return out;
}
