import type { CommandEntry } from "./cli/command.ts";

/** The table of commands. A command's module loads only when it is used. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "init",
    group: "Start",
    summary: "write a starter policy.yaml for the organisation",
    load: async () => (await import("./commands/init.ts")).command,
  },
  {
    name: "new",
    group: "Start",
    summary: "make a complete project from a template",
    load: async () => (await import("./commands/new.ts")).command,
  },
  {
    name: "templates",
    group: "Start",
    summary: "list what can be made",
    load: async () => (await import("./commands/templates.ts")).command,
  },
  {
    name: "quickstart",
    group: "Start",
    summary: "one model from a CSV to a green check, in a folder of its own",
    load: async () => (await import("./commands/quickstart.ts")).command,
  },
  {
    name: "local start",
    group: "Start",
    summary: "start a real MLflow server on this machine",
    load: async () => (await import("./commands/local-start.ts")).command,
  },
  {
    name: "local stop",
    group: "Start",
    summary: "stop it, and every process of it",
    load: async () => (await import("./commands/local-stop.ts")).command,
  },
  {
    name: "local status",
    group: "Start",
    summary: "say whether it runs, where, and whose it is",
    load: async () => (await import("./commands/local-status.ts")).command,
  },
  {
    name: "doctor",
    group: "Start",
    summary: "check every prerequisite and connection",
    load: async () => (await import("./commands/doctor.ts")).command,
  },
  {
    name: "train",
    group: "Build",
    summary: "run the project's training and record the run",
    load: async () => (await import("./commands/train.ts")).command,
  },
  {
    name: "check",
    group: "Build",
    summary: "run the gates, seal the evidence",
    load: async () => (await import("./commands/check.ts")).command,
  },
  {
    name: "evidence add",
    group: "Prove",
    summary: "attach a checklist or report to the latest evidence",
    load: async () => (await import("./commands/evidence-add.ts")).command,
  },
  {
    name: "evidence export",
    group: "Prove",
    summary: "write everything that an auditor needs into a folder",
    load: async () => (await import("./commands/evidence-export.ts")).command,
  },
  {
    name: "evidence show",
    group: "Prove",
    summary: "list what an evidence holds, digests verified",
    load: async () => (await import("./commands/evidence-show.ts")).command,
  },
  {
    name: "policy show",
    group: "Prove",
    summary: "say which policy is in force, and what the file beside it is",
    load: async () => (await import("./commands/policy-show.ts")).command,
  },
  {
    name: "policy diff",
    group: "Prove",
    summary: "show how policy.yaml differs from the policy in force",
    load: async () => (await import("./commands/policy-diff.ts")).command,
  },
  {
    name: "policy sign",
    group: "Prove",
    summary: "sign policy.yaml as one of its owners",
    load: async () => (await import("./commands/policy-sign.ts")).command,
  },
  {
    name: "keys new",
    group: "Prove",
    summary: "make a key to sign with, and print its line for policy.yaml",
    load: async () => (await import("./commands/keys-new.ts")).command,
  },
  {
    name: "keys list",
    group: "Prove",
    summary: "list your keys, and whose they are in the policy here",
    load: async () => (await import("./commands/keys-list.ts")).command,
  },
];
