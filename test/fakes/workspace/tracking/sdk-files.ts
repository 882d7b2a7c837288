import { type Ask, badValue, denied, empty, notFound, ok, type Reply, type Route } from "../route.ts";
import { cleanPath } from "../shapes.ts";
import { entriesOf, keep } from "./artifacts.ts";
import { filesOf, modelOf, runOf, type StoredFile, tracking } from "./state.ts";

const ROOT = "/WorkspaceInternal/Mlflow/Artifacts";
const CITES =
  "recorded: mlflow 3.17.2 asks the Files API of databricks-sdk first, and falls back to presigned URLs on any refusal but 404";

/** The same artifacts for MLflow's client that tries the Files API first; refused unless a test switches it on. */
export const sdkFileRoutes: readonly Route[] = [
  route("PUT", "files", (ask, { owner, path }) => {
    keep(ask, owner, path, ask.body);
    return empty();
  }),
  route("GET", "files", (ask, { file }) => ({
    status: 200,
    headers: { "content-type": "application/octet-stream", "last-modified": new Date(ask.now()).toUTCString() },
    body: ask.state.blobs.get(present(ask, file).digest),
  })),
  route("HEAD", "files", (ask, { file }) => ({
    status: 200,
    headers: { "content-length": String(present(ask, file).size) },
  })),
  ...["", "/*rest"].flatMap((rest) => [
    route(
      "HEAD",
      "directories",
      (ask, { owner, path }) => {
        if (folder(ask, owner, path).length === 0) throw notFound(`${path} does not exist`, "NOT_FOUND");
        return { status: 200 };
      },
      rest,
    ),
    route(
      "GET",
      "directories",
      (ask, { owner, path, root }) =>
        ok({
          contents: folder(ask, owner, path).map((each) => ({
            path: `${root}/${each.path}`,
            name: each.path.split("/").at(-1),
            is_directory: each.is_dir,
            ...(each.file_size === undefined ? {} : { file_size: each.file_size }),
          })),
        }),
      rest,
    ),
  ]),
];

interface Place {
  owner: string;
  path: string;
  /** Where the owner's files begin, as a path of the Files API. */
  root: string;
  file: StoredFile | undefined;
}

function route(
  method: "GET" | "PUT" | "HEAD",
  kind: "files" | "directories",
  handle: (ask: Ask, place: Place) => Reply,
  tail = "/*rest",
): Route {
  return {
    method,
    path: `/api/2.0/fs/${kind}${ROOT}/:experiment/:kind/:id/artifacts${tail}`,
    cites: CITES,
    handle(ask) {
      if (!tracking.of(ask.state).settings.filesApi) throw denied("The Files API is not available for this path.");
      const { experiment = "", id = "", rest = "" } = ask.params;
      const level = method === "PUT" ? "CAN_EDIT" : "CAN_READ";
      const owner = ownerOf(ask, ask.params.kind ?? "", id, level);
      const path = cleanPath(rest);
      return handle(ask, {
        owner,
        path,
        root: `${ROOT}/${experiment}/${ask.params.kind}/${id}/artifacts`,
        file: filesOf(ask.state, owner).get(path),
      });
    },
  };
}

function ownerOf(ask: Ask, kind: string, id: string, level: "CAN_READ" | "CAN_EDIT"): string {
  if (kind === "Runs") return `runs/${runOf(ask, id, level).run_id}`;
  if (kind === "LoggedModels") return `logged_models/${modelOf(ask, id, level).model_id}`;
  throw badValue(`Invalid path: ${ask.path}`);
}

function present(ask: Ask, file: StoredFile | undefined): StoredFile {
  if (file === undefined) throw notFound(`The file being accessed is not found: ${ask.path}`, "NOT_FOUND");
  return file;
}

const folder = (ask: Ask, owner: string, path: string) => {
  const files = filesOf(ask.state, owner);
  return files.has(path) ? [] : entriesOf(files, path);
};
