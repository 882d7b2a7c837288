import { outsideError } from "../../lib/error.ts";

/** Whose bytes they are, and where below its root. */
export type ArtifactPlace =
  | { of: "run" | "logged-model"; id: string; path: string }
  /** An experiment whose files are on a volume: an absolute path. */
  | { of: "volume"; path: string };

const ID = "[A-Za-z0-9_-]{1,100}";
const MANAGED = new RegExp(
  `^dbfs:/databricks/mlflow-tracking/${ID}/(?:logged_models/(?<model>${ID})|(?<run>${ID}))(?:/artifacts)?$`,
);

/** An artifact address (`dbfs:/databricks/mlflow-tracking/…`, or one on a volume) as text that `parsePlace` reads. */
export function placeOf(uri: string, label: string): string {
  const address = uri.replace(/^dbfs:\/\/[^/]*@?databricks(?=\/)/, "dbfs:").replace(/\/+$/, "");
  const { model, run } = MANAGED.exec(address)?.groups ?? {};
  if (model !== undefined) return `logged-model/${model}`;
  if (run !== undefined) return `run/${run}`;
  const volume = /^dbfs:(\/Volumes\/.+)$/.exec(address)?.[1];
  if (volume !== undefined && !volume.split("/").some((part, i) => i > 0 && ["", ".", ".."].includes(part)))
    return `volume${volume}`;
  throw outsideError(
    "mlflow.artifacts",
    `the bytes of ${label} are at ${JSON.stringify(uri.slice(0, 200))}, which the workspace does not hand out`,
    "use an experiment with the workspace's own artifact location, or one on a volume",
  );
}

export function parsePlace(place: string): ArtifactPlace {
  const [of = "", ...rest] = place.split("/");
  if (of === "volume") return { of, path: `/${rest.join("/")}` };
  const [id = "", ...path] = rest;
  if ((of !== "run" && of !== "logged-model") || id === "") throw new TypeError(`no place of artifacts: ${place}`);
  return { of, id, path: path.join("/") };
}
