import { describe, expect, test } from "vitest";
import { type Envelope, signEnvelope } from "../../src/lib/dsse.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { type PolicyInForce, policyAfter, policyFileState } from "../../src/policy/in-force.ts";
import { policyStatement } from "../../src/policy/policy-statement.ts";
import { newSigner, personLine, policyText, recordOf, signText } from "./world.ts";

const AT = new Date("2026-11-25T12:00:00Z");
const ann = newSigner();
const annToo = newSigner();
const bob = newSigner();
const carl = newSigner();
const ci = newSigner();
const stranger = newSigner();

const PEOPLE = [
  personLine("ann@example.com", [{ key: ann }, { key: annToo }]),
  personLine("bob@example.com", [{ key: bob, from: "2026-11-01", until: "2026-11-30" }]),
  personLine("carl@example.com", [{ key: carl }]),
  personLine("ci@example.com", [{ key: ci }], "kind: service, "),
];
const base = { owners: ["ann@example.com", "bob@example.com"], quorum: 2, people: PEOPLE };
const first = policyText(base);
const second = policyText({ ...base, version: 2, organisation: "Example Two" });

function inForce(text: string, signers = [ann, bob]): PolicyInForce {
  const after = policyAfter(undefined, recordOf(text, signers), AT);
  if ("problem" in after) throw new Error(after.problem);
  return after.inForce;
}

describe("policyAfter", () => {
  test("a quorum of its own owners puts the first policy in force", () => {
    expect(inForce(first)).toMatchObject({ version: 1, digest: sha256(first), text: first });
  });

  test("a quorum of the owners before puts a later one in force, even when it names others", () => {
    const text = policyText({ ...base, version: 5, owners: ["carl@example.com"], quorum: 1 });
    const after = policyAfter(inForce(first), recordOf(text, [bob, ann]), AT);
    expect(after).toMatchObject({ inForce: { version: 5, digest: sha256(text) } });
    expect(policyAfter(inForce(first), recordOf(text, [carl]), AT)).toMatchObject({
      problem: expect.stringContaining("carl@example.com is not in role policy-owner"),
    });
  });

  test("two owners may sign in one envelope, and one envelope is kept", () => {
    const [one, two] = [signText(first, ann), signText(first, bob)];
    const both = { ...one, signatures: [...one.signatures, ...two.signatures] };
    const state = policyFileState(undefined, { text: first, signatures: [both] }, AT);
    expect(state).toEqual({ adopt: { ...recordOf(first, []), signatures: [both] } });
  });

  test("signatures that count for nothing do no harm beside enough good ones", () => {
    const record = recordOf(first, [stranger, ci, carl, ann, annToo, bob]);
    expect(policyAfter(undefined, record, AT)).toHaveProperty("inForce");
  });

  const record = recordOf(first, [ann, bob]);
  const otherStatement = (text: string, change: { organisation?: string; version?: number }) =>
    signEnvelope(policyStatement({ organisation: "Example Mutual", version: 1, ...change }, sha256(text)), ann);
  const flipped = (envelope: Envelope): Envelope => {
    const [signature] = envelope.signatures;
    if (signature === undefined) throw new Error("no signature");
    const bytes = Buffer.from(signature.sig, "base64");
    bytes[10] = (bytes[10] ?? 0) ^ 1;
    return { ...envelope, signatures: [{ ...signature, sig: bytes.toString("base64") }] };
  };
  const renamed = (envelope: Envelope, keyid: string): Envelope => ({
    ...envelope,
    signatures: envelope.signatures.map((each) => ({ ...each, keyid })),
  });
  const surrogate = `${first}# \ud800\n`;

  const REFUSED: { what: string; record: typeof record; before?: PolicyInForce; at?: Date; why: string }[] = [
    {
      what: "no owner",
      record: recordOf(policyText({}), [ann]),
      why: "signed by 0 of 1 policy owners that it takes",
    },
    {
      what: "one owner of two",
      record: recordOf(first, [ann]),
      why: "signed by 1 of 2 policy owners that it takes (ann@example.com)",
    },
    { what: "one person with two keys", record: recordOf(first, [ann, annToo]), why: "signed by 1 of 2" },
    { what: "one person twice", record: recordOf(first, [ann, ann]), why: "signed by 1 of 2" },
    {
      what: "a person in another role",
      record: recordOf(first, [ann, carl]),
      why: "carl@example.com is not in role policy-owner",
    },
    {
      what: "a service",
      record: recordOf(first, [ann, ci]),
      why: "ci@example.com is a service, which cannot sign a policy",
    },
    { what: "a stranger", record: recordOf(first, [ann, stranger]), why: "no key with id" },
    {
      what: "a key before its time",
      record,
      at: new Date("2026-10-31T23:59:59Z"),
      why: "the key of bob@example.com counts from 2026-11-01 only",
    },
    {
      what: "a key after its time",
      record,
      at: new Date("2026-12-01T00:00:00Z"),
      why: "the key of bob@example.com ended on 2026-11-30",
    },
    {
      what: "a flipped bit in a signature",
      record: { ...record, signatures: [signText(first, ann), flipped(signText(first, bob))] },
      why: "a signature with the key of bob@example.com does not hold",
    },
    {
      what: "a signature over other bytes",
      record: { ...record, signatures: [signText(first, ann), signText(second, bob)] },
      why: "signed for other bytes",
    },
    {
      what: "another organisation in what is signed",
      record: { ...record, signatures: [otherStatement(first, { organisation: "x" })] },
      why: "names another organisation or version",
    },
    {
      what: "another version in what is signed",
      record: { ...record, signatures: [otherStatement(first, { version: 2 })] },
      why: "names another organisation or version",
    },
    {
      what: "something that is no statement",
      record: { ...record, signatures: [signEnvelope(Buffer.from("hello"), ann)] },
      why: "holds no JSON",
    },
    {
      what: "a statement about something else",
      record: {
        ...record,
        signatures: [
          signEnvelope(
            Buffer.from(`{"predicateType":"x","subject":[{"name":"m","digest":{"sha256":"${sha256("m")}"}}]}`),
            ann,
          ),
        ],
      },
      why: "signed for something else than a policy",
    },
    {
      what: "a payload of another type",
      record: {
        ...record,
        signatures: [
          signEnvelope(
            policyStatement({ organisation: "Example Mutual", version: 1 }, sha256(first)),
            ann,
            "text/plain",
          ),
        ],
      },
      why: "holds no in-toto statement",
    },
    { what: "a digest of other bytes", record: { ...record, digest: sha256(second) }, why: "does not have the digest" },
    {
      what: "a text with a lone surrogate",
      record: { ...record, text: surrogate, digest: sha256(surrogate) },
      why: "not well-formed",
    },
    {
      what: "another version than the text says",
      record: { ...record, version: 2 },
      why: "version 2 is recorded, and the text of the policy says version 1",
    },
    {
      what: "a text that is no policy",
      record: { ...record, text: "factory: 1\n", digest: sha256("factory: 1\n") },
      why: "the policy is not valid: ",
    },
    {
      what: "a signature under the key id of another owner",
      record: { ...record, signatures: [signText(first, ann), renamed(signText(first, ann), bob.keyId)] },
      why: "a signature with the key of bob@example.com does not hold",
    },
    {
      what: "a later one that locks everyone out: no owners",
      before: inForce(first),
      record: recordOf(policyText({ ...base, version: 2, owners: [], quorum: 1 }), [ann, bob]),
      why: "the policy names no policy-owner, so nobody could sign a later version",
    },
    {
      what: "a later one that locks everyone out: owners without keys",
      before: inForce(first),
      record: recordOf(
        policyText({
          ...base,
          version: 2,
          owners: ["ann@example.com", "new@example.com"],
          people: [...PEOPLE, "new@example.com: {}"],
        }),
        [ann, bob],
      ),
      why: "only 1 of its policy owners has a key that has not ended, and it takes 2",
    },
    {
      what: "a later one that locks everyone out: a key that has ended",
      before: inForce(first),
      record: recordOf(
        policyText({
          ...base,
          version: 2,
          owners: ["ann@example.com", "dora@example.com"],
          people: [...PEOPLE, personLine("dora@example.com", [{ key: stranger, until: "2026-11-24" }])],
        }),
        [ann, bob],
      ),
      why: "only 1 of its policy owners has a key that has not ended, and it takes 2",
    },
    {
      what: "an older version put back",
      before: inForce(second),
      record,
      why: "version 1 is older than version 2, which is in force",
    },
    { what: "the same once more", before: inForce(first), record, why: "is in force already" },
    {
      what: "another text with the same version",
      before: inForce(first),
      record: recordOf(`${first}# more\n`, [ann, bob]),
      why: "a changed policy needs a higher version",
    },
  ];
  test.each(REFUSED)("refused: $what", ({ record, before, at = AT, why }) => {
    expect(policyAfter(before, record, at)).toEqual({ problem: expect.stringContaining(why) });
  });

  test("each refusal of a signature has words of its own", () => {
    const words = REFUSED.map(({ record, before, at = AT }) => JSON.stringify(policyAfter(before, record, at)));
    // One owner alone, with two keys and twice are one fact; so are another organisation and another version, a flipped bit and
    // another key's id; owners without a key and owners whose key has ended.
    expect(new Set(words).size).toBe(words.length - 5);
  });
});

describe("policyFileState", () => {
  const file = (text: string, signatures: readonly Envelope[] = []) => ({ text, signatures });

  test("what is in force is the same, signatures or not", () => {
    expect(policyFileState(inForce(first), file(first), AT)).toBe("same");
  });

  test("a later one that its owners signed may be adopted, with the signatures that count and no others", () => {
    const signatures = [signText(second, stranger), signText(first, ann), signText(second, ann), signText(second, bob)];
    const state = policyFileState(inForce(first), file(second, signatures), AT);
    expect(state).toEqual({ adopt: recordOf(second, [ann, bob]) });
    if (state === "same" || !("adopt" in state)) throw new Error("not adoptable");
    expect(policyAfter(inForce(first), state.adopt, AT)).toHaveProperty("inForce");
  });

  test("the first one is adopted with its own owners", () => {
    expect(policyFileState(undefined, file(first, [signText(first, ann), signText(first, bob)]), AT)).toEqual({
      adopt: recordOf(first, [ann, bob]),
    });
  });

  test.each([
    {
      what: "edited by hand",
      before: inForce(first),
      file: file(first.replace("policyQuorum: 2", "policyQuorum: 1"), [signText(first, ann), signText(first, bob)]),
      problem: "a changed policy needs a higher version",
      maySign: ["ann@example.com", "bob@example.com"],
      difference: ["~ policyQuorum: 2 → 1"],
    },
    {
      what: "edited by hand, version raised",
      before: inForce(first),
      file: file(second, [signText(first, ann), signText(first, bob)]),
      problem: "signed by 0 of 2 policy owners that it takes; not counted: an envelope is signed for other bytes",
      maySign: ["ann@example.com", "bob@example.com"],
      difference: ["~ version: 1 → 2", "~ organisation: Example Mutual → Example Two"],
    },
    {
      what: "an older signed version put back",
      before: inForce(second),
      file: file(first, [signText(first, ann), signText(first, bob)]),
      problem: "version 1 is older than version 2",
      maySign: [],
      difference: ["~ version: 2 → 1", "~ organisation: Example Two → Example Mutual"],
    },
    {
      what: "not enough owners",
      before: inForce(first),
      file: file(second, [signText(second, bob)]),
      problem: "signed by 1 of 2 policy owners that it takes (bob@example.com)",
      maySign: ["ann@example.com"],
      difference: ["~ version: 1 → 2", "~ organisation: Example Mutual → Example Two"],
    },
    {
      what: "signed by those whom only the new text calls owners",
      before: inForce(first),
      file: (() => {
        const text = policyText({ ...base, version: 2, owners: ["carl@example.com"], quorum: 1 });
        return file(text, [signText(text, carl)]);
      })(),
      problem: "carl@example.com is not in role policy-owner",
      maySign: ["ann@example.com", "bob@example.com"],
      difference: [
        "~ version: 1 → 2",
        '~ roles.policy-owner: ["ann@example.com","bob@example.com"] → ["carl@example.com"]',
        "~ policyQuorum: 2 → 1",
      ],
    },
    {
      what: "signed, and it would lock everyone out",
      before: inForce(first),
      file: (() => {
        const text = policyText({ ...base, version: 2, owners: [], quorum: 1 });
        return file(text, [signText(text, ann), signText(text, bob)]);
      })(),
      problem: "nobody could sign a later version",
      maySign: [],
      difference: [
        "~ version: 1 → 2",
        '~ roles.policy-owner: ["ann@example.com","bob@example.com"] → []',
        "~ policyQuorum: 2 → 1",
      ],
    },
    {
      what: "none in force and nobody signed",
      before: undefined,
      file: file(first),
      problem: "signed by 0 of 2",
      maySign: ["ann@example.com", "bob@example.com"],
      difference: [],
    },
  ])("refused: $what", ({ before, file, problem, maySign, difference }) => {
    expect(policyFileState(before, file, AT)).toEqual({
      problem: expect.stringContaining(problem),
      maySign,
      difference,
    });
  });
});
