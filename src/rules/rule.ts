import type { Action, DecisionFacts, Known } from "./facts.ts";

export interface Verdict {
  rule: string;
  verdict: "yes" | "no" | "cannot tell";
  /** One sentence: what was looked at, or what is wrong. */
  why: string;
  /** What to do about a no. */
  fix?: string;
}

export type Judgement = Omit<Verdict, "rule">;

/** One row of the table of rules. */
export interface Rule {
  name: string;
  /** Commands that it decides for. */
  actions: readonly Action[];
  judge(facts: DecisionFacts): Judgement;
}

export function yes(why: string): Judgement {
  return { verdict: "yes", why };
}

export function no(why: string, fix?: string): Judgement {
  return { verdict: "no", why, ...(fix !== undefined && { fix }) };
}

export function cannotTell(why: string, fix?: string): Judgement {
  return { verdict: "cannot tell", why, ...(fix !== undefined && { fix }) };
}

/** Judges what is known; of what is not, nothing can be told. */
export function given<T>(fact: Known<T>, judge: (value: T) => Judgement): Judgement {
  return fact.known ? judge(fact.value) : cannotTell(fact.why, fact.fix);
}

export const EVERYWHERE: readonly Action[] = ["approve", "promote", "release"];
