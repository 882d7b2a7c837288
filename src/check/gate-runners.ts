import type { Champion } from "../gates/baseline.ts";
import { judgeBaseline } from "../gates/baseline.ts";
import { runCommandGate } from "../gates/command-gate.ts";
import { type CheckContract, runDataGate } from "../gates/data-gate.ts";
import { judgeDocs } from "../gates/docs.ts";
import { judgeLint } from "../gates/lint.ts";
import type { Metric } from "../gates/metrics.ts";
import { runModelGate } from "../gates/model-gate.ts";
import type { GateRunners } from "../gates/run-gates.ts";
import { judgeSecrets } from "../gates/secrets.ts";
import { usageError } from "../lib/error.ts";
import type { Environment } from "../policy/policy.ts";
import type { OpenProject } from "../project/read-project.ts";
import { gatesFor, metricsFor } from "../project/rules.ts";
import { type Candidate, isUnchanged } from "./candidate.ts";

/** What the gates leave behind besides their results. */
export interface Found {
  metrics: Metric[];
  data: { path: string; sha256: string }[];
  contracts: { path: string; content: Buffer }[];
}

/** One function per gate, for this project, candidate and champion; what they find on the way is put into `found`. */
export function gateRunners(
  open: OpenProject,
  first: Environment,
  candidate: Candidate | undefined,
  champion: Champion,
  found: Found,
  checkContract: CheckContract,
): GateRunners {
  const { unit, data, model } = gatesFor(open.project, first.name);
  const metrics = metricsFor(open.project, first.name);
  const championFolder = champion.kind === "version" ? champion.folder : undefined;
  return {
    lint: judgeLint,
    unit: async (setting) => {
      if (unit === undefined) throw usageError("gate.missing", "factory.yaml has no gates.unit");
      return runCommandGate({ name: "unit", run: unit.run, junit: unit.junit }, setting);
    },
    data: async (setting) => {
      if (data === undefined) throw usageError("gate.missing", "factory.yaml has no gates.data");
      const schema = open.project.model.name.split(".")[0] ?? "";
      const outcome = await runDataGate(data, setting, checkContract, { environment: first, schema });
      found.data = outcome.data;
      found.contracts = outcome.contracts ?? [];
      return outcome;
    },
    model: async (setting) => {
      if (model === undefined) throw usageError("gate.missing", "factory.yaml has no gates.model");
      const outcome = await runModelGate(model, { candidate: candidate?.folder, champion: championFolder }, setting);
      found.metrics = outcome.metrics;
      const changed = [
        ...(candidate !== undefined && !(await isUnchanged(candidate.folder, candidate.model.digest))
          ? ["candidate"]
          : []),
        ...(champion.kind === "version" && !(await isUnchanged(champion.folder, champion.digest)) ? ["champion"] : []),
      ];
      if (changed.length === 0) return outcome;
      return {
        ...outcome,
        verdict: "error",
        summary: `the model tests changed the files of the ${changed.join(" and ")}`,
        findings: [
          {
            message: "what was judged is not what was logged",
            fix: "tests must only read FACTORY_CANDIDATE and FACTORY_CHAMPION",
          },
        ],
      };
    },
    baseline: async (_, before) => {
      // Without a run there is nothing that could replace a champion; nobody has to be asked which one that is.
      if (candidate === undefined)
        return { verdict: "not-evaluated", summary: "needs a run to compare: factory train" };
      const measured = before.find((result) => result.gate === "model");
      if (champion.kind === "version" && measured?.verdict !== "pass" && measured?.verdict !== "fail") {
        return { verdict: "not-evaluated", summary: "the model gate measured nothing to compare" };
      }
      return judgeBaseline(metrics, found.metrics, champion);
    },
    docs: async (setting) => judgeDocs(setting.folder),
    secrets: judgeSecrets,
  };
}
