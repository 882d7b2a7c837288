import { type ContractCall, get, type Known, learns, post, send } from "../contract.ts";

const V = (version: string, more: object = {}): object => ({ name: "triage", version, ...more });
const move = (version: string, stage: string, archive_existing_versions = false): object =>
  V(version, { stage, archive_existing_versions });
const source = (known: Known): object => ({
  name: "triage",
  source: "s3://bucket/model",
  run_id: known.run,
  tags: [{ key: "k", value: "v" }],
});

/** The registry of versions and stages, in order: later calls need what earlier ones made. */
export const REGISTRY_CALLS: readonly ContractCall[] = [
  post("an experiment", "experiments/create", { name: "/Shared/registry" }, learns("experiment", "experiment_id")),
  post(
    "a run",
    "runs/create",
    ({ experiment }) => ({ experiment_id: experiment, start_time: 1 }),
    learns("run", "run", "info", "run_id"),
  ),
  post("create a model", "registered-models/create", {
    name: "triage",
    description: "d",
    tags: [{ key: "a", value: "b" }],
  }),
  post("create it again", "registered-models/create", { name: "triage" }),
  post("create one with no name", "registered-models/create", {}),
  post("create one with a slash", "registered-models/create", { name: "a/b" }),
  get("get it", "registered-models/get?name=triage"),
  get("get one that is not there", "registered-models/get?name=none"),
  post("a version", "model-versions/create", source),
  post("a second", "model-versions/create", source),
  post("a version of no model", "model-versions/create", { name: "none", source: "s3://bucket/x" }),
  post("a version of no source", "model-versions/create", { name: "triage" }),
  get("get the version", "model-versions/get?name=triage&version=1"),
  get("get one that is not there", "model-versions/get?name=triage&version=9"),
  get("get one that is no number", "model-versions/get?name=triage&version=x"),
  send("PATCH", "describe it", "model-versions/update", V("1", { description: "text" })),
  send("PATCH", "describe the model", "registered-models/update", { name: "triage", description: "text" }),
  post("tag the version", "model-versions/set-tag", V("1", { key: "x", value: "y" })),
  post("tag no version", "model-versions/set-tag", V("9", { key: "x", value: "y" })),
  post("tag the model", "registered-models/set-tag", { name: "triage", key: "x", value: "y" }),
  post("tag with no key", "registered-models/set-tag", { name: "triage", value: "y" }),
  send("DELETE", "untag the version", "model-versions/delete-tag", V("1", { key: "x" })),
  send("DELETE", "untag the model", "registered-models/delete-tag", { name: "triage", key: "x" }),
  post("to Staging", "model-versions/transition-stage", move("1", "Staging")),
  post("to production, in small letters", "model-versions/transition-stage", move("1", "production", true)),
  post("to a stage that is none", "model-versions/transition-stage", move("1", "Live")),
  post("archiving by None", "model-versions/transition-stage", move("1", "None", true), {
    stricter: "refused as bad input, where the server breaks",
  }),
  post("no word on archiving", "model-versions/transition-stage", V("2", { stage: "Staging" }), {
    stricter: "refused: archive_existing_versions is required",
  }),
  post("the second, archiving the first", "model-versions/transition-stage", move("2", "Production", true)),
  get("the first is archived", "model-versions/get?name=triage&version=1"),
  post("the latest", "registered-models/get-latest-versions", { name: "triage" }),
  post("the latest of a stage", "registered-models/get-latest-versions", { name: "triage", stages: ["production"] }),
  post("the latest of an empty stage", "registered-models/get-latest-versions", {
    name: "triage",
    stages: ["Staging"],
  }),
  get("search models", "registered-models/search?filter=name%20LIKE%20%27tri%25%27&max_results=5"),
  get("search models, none", "registered-models/search?filter=name%20%3D%20%27x%27"),
  get("search models, bad filter", "registered-models/search?filter=name%20~%20%27x%27"),
  get("search versions", "model-versions/search?filter=name%20%3D%20%27triage%27&max_results=5"),
  get("search versions, one at a time", "model-versions/search?filter=name%20%3D%20%27triage%27&max_results=1"),
  get("search versions of a run", ({ run }) => `model-versions/search?filter=run_id%20%3D%20%27${run}%27`),
  get("where the bytes are", "model-versions/get-download-uri?name=triage&version=1"),
  post("rename the model", "registered-models/rename", { name: "triage", new_name: "sorted" }),
  get("get it by its old name", "registered-models/get?name=triage"),
  get("get its version by the new name", "model-versions/get?name=sorted&version=1"),
  send(
    "DELETE",
    "delete the version in Production",
    "model-versions/delete",
    { name: "sorted", version: "2" },
    { stricter: "refused: it is in Production" },
  ),
  send("DELETE", "delete the archived one", "model-versions/delete", { name: "sorted", version: "1" }),
  get("get it, deleted", "model-versions/get?name=sorted&version=1"),
  send("DELETE", "delete no model", "registered-models/delete", { name: "triage" }),
];
