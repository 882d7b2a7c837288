import type { ObjectStore } from "../evidence/object-store.ts";
import { SIGNATURE_PATH } from "../evidence/signature-path.ts";
import type { Line } from "../line/line.ts";
import { type Identity, identityOfKey } from "../policy/identity.ts";
import { environmentsRefusing } from "../policy/signed-by.ts";
import { evidenceSigner, registrationOf } from "./facts-of-evidence.ts";

/** The environments that will not take the evidence as it is signed now. */
export type NotAccepted = ReturnType<typeof environmentsRefusing>;

/** Whether the ledger takes this registration, and under whose name. Projects that the policy does not list are pilots. */
export function recorderOf(
  line: Line,
  keyId: string,
  at: Date,
): { by: string | undefined; why: string | undefined; refused: string | undefined } {
  const no = (why: string) => ({ by: undefined, why, refused: undefined });
  if (!line.policy.known) return no("there is no policy: it goes no further than here");
  const { inForce, problem } = line.policy.value;
  if (!Object.hasOwn(inForce.policy.projects, line.project))
    return no("a pilot: the policy does not list the project, so it goes no further than here");
  const broken = line.view.problems[0];
  if (broken !== undefined)
    return {
      by: undefined,
      why: undefined,
      refused: `the ledger does not hold: ${broken.message}`,
    };
  if (problem !== undefined)
    return line.view.policy === undefined
      ? no(`no policy is in force yet (${problem}): register again once it is`)
      : { by: undefined, why: undefined, refused: problem };
  const identity: Identity | { problem: string } = identityOfKey(inForce.policy, keyId, at);
  if ("problem" in identity) return { by: undefined, why: undefined, refused: identity.problem };
  if (identity.kind === "bot") return { by: undefined, why: undefined, refused: `${identity.address} is a bot` };
  return { by: identity.address, why: undefined, refused: undefined };
}

/**
 * Asked of the store only when whoever registers now does not do: others may have signed the same evidence before, and an
 * entry says nothing of what the store holds. What is not recorded goes no further, and nothing is to be said of it.
 */
export async function notAcceptedFrom(
  by: string | undefined,
  evidence: string,
  { policy, state }: Line,
  store: () => Promise<ObjectStore>,
): Promise<NotAccepted> {
  if (by === undefined || !policy.known) return [];
  const { inForce } = policy.value;
  if (environmentsRefusing(inForce.policy, [by]).length === 0) return [];
  const there = await (await store()).list(evidence);
  const signers = there.flatMap((path) => {
    const keyId = SIGNATURE_PATH.exec(path)?.[1];
    const signer =
      keyId === undefined ? undefined : evidenceSigner(inForce.policy, keyId, registrationOf(state, evidence));
    return signer === undefined || "problem" in signer ? [] : [signer.address];
  });
  return environmentsRefusing(inForce.policy, [by, ...signers]);
}
