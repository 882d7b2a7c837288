import { sha256 } from "../../src/lib/hash.ts";
import { known } from "../../src/rules/facts.ts";
import { authors, type Case, NOT_ASKED, prodStage, readTicket, ticketSeen, two, twoRoles } from "./case-parts.ts";
import { type Changes, DAY_MS, evidenceWith, later, NOW, person } from "./good-facts.ts";

/** Their keys signed the evidence. */
const signedBy = (...signers: Extract<ReturnType<typeof evidenceWith>, { known: true }>["value"]["signedBy"]) =>
  ({ evidence: evidenceWith({ signedBy: signers }) }) satisfies Changes["facts"];
const CI = { address: "ci@example.com", kind: "service" } as const;

export const APPROVAL_CASES: Readonly<Record<string, readonly Case[]>> = {
  approvals: [
    ["one of one", "yes", {}, /approver@example.com \(model-risk\)/],
    ["for a release", "yes", { action: "release" }],
    ["none asked for", "yes", { policy: prodStage({ approvals: undefined }), approvals: [] }],
    ["no approval", "no", { approvals: [] }, /0 of 1 of role model-risk/],
    [
      "given under an older policy with the same rules",
      "yes",
      { approvals: [{ approval: { policy: sha256("long ago") } }] },
    ],
    [
      "self-approval",
      "no",
      { approvals: [{ by: person("author@example.com") }] },
      /author@example.com changed the code/,
    ],
    [
      "alias of the author",
      "no",
      { evidence: authors("approver@home.example.org") },
      /approver@example.com changed the code/,
    ],
    ["handle of the author", "no", { evidence: authors("approver-on-git") }, /changed the code/],
    ["capital letters in an address", "no", { evidence: authors("Approver@EXAMPLE.com") }, /changed the code/],
    ["tag in an address", "no", { evidence: authors("approver+work@example.com") }, /changed the code/],
    ["dot behind an address", "no", { evidence: authors("approver@example.com.") }, /changed the code/],
    ["full-width letters in an address", "no", { evidence: authors("ａpprover@example.com") }, /changed the code/],
    ["an unknown handle among authors makes nobody an author", "yes", { evidence: authors("some-handle") }],
    [
      "by who signed the evidence",
      "no",
      { facts: signedBy(person("approver@example.com")) },
      /0 of 1 of role model-risk; does not count: approver@example.com: approver@example.com signed the evidence/,
    ],
    [
      "for a release, by who signed the evidence",
      "no",
      { action: "release", facts: signedBy(person("approver@example.com")) },
      /signed the evidence/,
    ],
    [
      "by who signed the evidence beside a service",
      "no",
      { facts: signedBy(CI, person("approver@example.com")) },
      /signed the evidence/,
    ],
    [
      "by who signed evidence of a change by nobody",
      "no",
      { evidence: authors(), facts: signedBy(person("approver@example.com")) },
      /signed the evidence/,
    ],
    ...["approver@example.com", "approver@home.example.org"].map(
      (who): Case => [
        `by ${who}, who signed the evidence with a key that is not listed any more`,
        "no",
        { facts: { evidence: evidenceWith({ signedBy: [CI], registeredBy: ["ci@example.com", who] }) } },
        /approver@example.com signed the evidence/,
      ],
    ),
    [
      "by a second one, where the first signed the evidence",
      "yes",
      {
        approvals: [{}, { by: person("second@example.com") }],
        facts: signedBy(person("approver@example.com")),
      },
    ],
    ["by somebody else than the person who signed", "yes", { facts: signedBy(person("author@example.com")) }],
    [
      "over evidence by a key that did not count",
      "yes",
      { facts: signedBy(CI, { problem: "the key of approver@example.com ended on 2026-01-01" }) },
    ],
    ["who signed is not known", "cannot tell", { facts: { evidence: NOT_ASKED } }],
    ["over older evidence", "no", { approvals: [{ evidence: sha256("older") }] }, /over other evidence/],
    ["for another environment", "no", { approvals: [{ approval: { environment: "test" } }] }],
    ["for another project", "no", { approvals: [{ approval: { project: "claims-other" } }] }, /another project/],
    ["for another model: retrained", "no", { approvals: [{ model: sha256("again") }] }, /another model/],
    ["for another model's name", "no", { approvals: [{ approval: { model: "claims.other" } }] }, /another model/],
    [
      "for another model that was rolled back since",
      "no",
      { approvals: [{ model: sha256("the one before"), undone: true }] },
      /0 of 1 of role model-risk; does not count: approver@example.com: for another model$/,
    ],
    [
      "for other models, withdrawn and rolled back, beside one for this",
      "no",
      {
        approvals: [
          { model: sha256("the first"), undone: true },
          { withdrawn: true },
          { withdrawn: true },
          { model: sha256("the second"), withdrawn: true },
          { approval: { model: "claims.other" } },
        ],
      },
      /0 of 1 of role model-risk; does not count: approver@example.com: withdrawn; does not count: 3 for other models$/,
    ],
    [
      "expired now, to the millisecond",
      "no",
      { approvals: [{ at: later(-7 * DAY_MS) }] },
      /ended at 2026-11-25T12:00:00.000Z/,
    ],
    ["a millisecond left", "yes", { approvals: [{ at: later(1 - 7 * DAY_MS) }] }],
    [
      "signed for longer than the rules let it last",
      "no",
      { approvals: [{ at: later(-7 * DAY_MS), approval: { notAfter: "9999-12-31T00:00:00.000Z" } }] },
      /ended at 2026-11-25/,
    ],
    ["signed for shorter", "no", { approvals: [{ approval: { notAfter: NOW.toISOString() } }] }, /ended/],
    ["an end that is none", "no", { approvals: [{ approval: { notAfter: "never" } }] }, /ended at never/],
    [
      "lasts 7 days where the policy does not say",
      "no",
      { policy: prodStage({ approvalTtl: undefined }), approvals: [{ at: later(-8 * DAY_MS) }] },
    ],
    ["withdrawn", "no", { approvals: [{ withdrawn: true }] }, /withdrawn/],
    [
      "over the ticket as it is",
      "yes",
      {
        approvals: [{ approval: { ticketSeen: ticketSeen({ from: "2026-11-25T00:00:00Z" }) } }],
        facts: readTicket({ from: "2026-11-25T00:00:00Z" }),
      },
    ],
    [
      "over the ticket while it was in another state",
      "yes",
      { approvals: [{ approval: { ticketSeen: ticketSeen({ state: "open" }) } }], facts: readTicket({}) },
    ],
    ...(["project", "environment", "summary", "from", "until"] as const).map(
      (key): Case => [
        `over a ticket whose ${key} was taken out since`,
        "no",
        {
          approvals: [{ approval: { ticketSeen: ticketSeen({ [key]: "2027-01-01T00:00:00Z" }) } }],
          facts: readTicket({}),
        },
        /approver@example.com: ticket CHG-1 was changed since: approve again/,
      ],
    ),
    ["that does not say what the ticket was", "yes", { approvals: [{}], facts: readTicket({}) }],
    [
      "over a ticket that nobody looks up again",
      "yes",
      { approvals: [{ approval: { ticketSeen: ticketSeen({ summary: "another" }) } }] },
    ],
    ["given before a rollback of it", "no", { approvals: [{ undone: true }] }, /before it was rolled back/],
    ["wrong role", "no", { approvals: [{ by: person("other@example.com") }] }, /does not have the role model-risk/],
    ["in a role that nobody asks for", "no", { approvals: [{ approval: { role: "compliance" } }] }],
    [
      "in a role by a word of the language",
      "no",
      { approvals: [{ approval: { role: "constructor" } }] },
      /does not have the role constructor/,
    ],
    [
      "one person with two keys",
      "no",
      { policy: prodStage({ approvals: [{ role: "model-risk", count: 2 }] }), approvals: [{}, {}] },
    ],
    [
      "one person with two keys, under these very rules",
      "no",
      two([{}, {}]),
      /1 of 2 of role model-risk; does not count: approver@example.com: approver@example.com has approved already/,
    ],
    ["two people", "yes", two([{}, { by: person("second@example.com") }])],
    ["one person in two roles", "no", twoRoles([{}, { approval: { role: "compliance" } }]), /1 of 1 of role .*0 of 1/],
    [
      "two people for two roles",
      "yes",
      twoRoles([{}, { by: person("second@example.com"), approval: { role: "compliance" } }]),
    ],
    [
      "two people, of whom the first could do both",
      "yes",
      twoRoles([{}, { approval: { role: "compliance" } }, { by: person("second@example.com") }]),
    ],
    [
      "service approving",
      "no",
      { approvals: [{ by: { address: "ci@example.com", kind: "service" } }] },
      /only people approve/,
    ],
    [
      "bot approving",
      "no",
      { approvals: [{ by: { address: "github-web-flow", kind: "bot" } }] },
      /only people approve/,
    ],
    [
      "changed threshold after approval",
      "no",
      {
        project: (project) => {
          project.gates = { model: { run: "pytest", metrics: [{ name: "roc_auc", min: 0.5 }] } };
        },
      },
      /under other rules/,
    ],
    [
      "changed count after approval",
      "no",
      {
        policy: prodStage({ approvals: [{ role: "model-risk", count: 2 }] }),
        approvals: [{}, { by: person("second@example.com") }],
      },
      /under other rules/,
    ],
    ["for another ticket", "no", { approvals: [{ approval: { ticket: "CHG-2" } }] }, /for ticket CHG-2/],
    ["for no ticket", "no", { approvals: [{ approval: { ticket: undefined } }] }, /for ticket none/],
    [
      "by a key that counts no more",
      "no",
      { approvals: [{ by: { problem: "the key of approver@example.com ended on 2026-11-24" } }] },
      /ended on 2026-11-24/,
    ],
    [
      "an envelope that is another's",
      "no",
      { approvals: [{ by: { problem: "signed by another key than its entry" } }] },
    ],
    [
      "in another's name",
      "no",
      { approvals: [{ approval: { approver: "second@example.com" } }] },
      /in the name of second/,
    ],
    ["one that does not count beside one that does", "yes", { approvals: [{ withdrawn: true }, {}] }],
    ["ledger not read", "cannot tell", { facts: { approvals: NOT_ASKED } }],
    ["no sure clock", "cannot tell", { facts: { now: NOT_ASKED } }],
    ["authors not known", "cannot tell", { evidence: { people: null } }],
  ],
  approver: [
    ["has the role and did not change the code", "yes", { action: "approve" }, /role model-risk/],
    [
      "self-approval",
      "no",
      { action: "approve", facts: { actor: known(person("author@example.com")) } },
      /changed the code \(1 of 1 changes\)/,
    ],
    [
      "who signed the evidence",
      "no",
      { action: "approve", facts: signedBy(person("approver@example.com")) },
      /^approver@example.com signed the evidence: somebody else must approve$/,
    ],
    ["who did not sign it", "yes", { action: "approve", facts: signedBy(person("second@example.com")) }],
    ["who signed is not known", "cannot tell", { action: "approve", facts: { evidence: NOT_ASKED } }],
    [
      "without the role",
      "no",
      { action: "approve", facts: { actor: known(person("other@example.com")) } },
      /does not have the role/,
    ],
    ["in a role that nobody asks for", "no", { action: "approve", facts: { role: "compliance" } }, /not asked for/],
    [
      "where no approval is asked for",
      "no",
      { action: "approve", policy: prodStage({ approvals: undefined }) },
      /no approval is asked for/,
    ],
    [
      "a key that the policy does not know",
      "no",
      { action: "approve", facts: { actor: known({ problem: "no key with that id" }) } },
    ],
    ["a second time", "no", { action: "approve", approvals: [{}] }, /approved this already/],
    [
      "again after an approval that does not count",
      "yes",
      { action: "approve", approvals: [{ evidence: sha256("older") }] },
    ],
    ["who is not known", "cannot tell", { action: "approve", facts: { actor: NOT_ASKED } }],
  ],
};
