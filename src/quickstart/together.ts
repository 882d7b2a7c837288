import type { Stage } from "./stage.ts";
import type { Program } from "./step.ts";

/** Two parts of the story at once. When one fails the other is ended and waited for, and the first failure is thrown. */
export async function together<A, B>(
  stage: Stage,
  one: (stage: Stage) => Promise<A>,
  other: (stage: Stage) => Promise<B>,
): Promise<[A, B]> {
  const ended = new AbortController();
  const under = (program: Program): Program => ({
    ...program,
    signal: AbortSignal.any([program.signal, ended.signal]),
  });
  const both = { ...stage, author: under(stage.author), approver: under(stage.approver) };
  let failure: { error: unknown } | undefined;
  const held = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      failure ??= { error };
      ended.abort();
      throw error;
    }
  };
  const [first, second] = await Promise.allSettled([held(one(both)), held(other(both))]);
  if (first.status === "fulfilled" && second.status === "fulfilled") return [first.value, second.value];
  throw failure?.error;
}
