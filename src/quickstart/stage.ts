import type { Uv } from "../training/project-environment.ts";
import type { Program } from "./step.ts";

export const PROJECT = "claims-triage";
export const MODEL = "claims.triage";
export const TICKETS = ["CHG-1001", "CHG-1002"] as const;

/** Where the story plays and who acts in it. */
export interface Stage {
  /** quickstart's own folder. */
  folder: string;
  /** The project, in it. */
  project: string;
  author: Program;
  approver: Program;
  uv(): Promise<Uv>;
}
