import { randomBytes } from "node:crypto";
import * as z from "zod";
import { type Ask, badValue, bodyOf, notFound, ok, pageOf, queryOf, type Route } from "../route.ts";
import { cleanPath, int64, needed } from "../shapes.ts";
import { idOf, runId } from "./runs.ts";
import { filesOf, modelOf, newId, type Run, runOf, type Signature, type StoredFile, tracking } from "./state.ts";

const P = "/api/2.0/mlflow";
const RECORDED = "recorded: mlflow 3.17.2";

export const artifactRoutes: readonly Route[] = [
  {
    method: "GET",
    path: `${P}/artifacts/list`,
    cites: `reference 2.2 artifacts/list: one entry with the path itself for a file; ${RECORDED} list_artifacts`,
    handle(ask) {
      const query = queryOf(
        ask,
        z.strictObject({ ...runId, path: z.string().default(""), page_token: z.string().optional() }),
      );
      const run = managed(runOf(ask, idOf(query)));
      return ok({ root_uri: run.artifact_uri, ...listed(ask, `runs/${run.run_id}`, query.path, query.page_token) });
    },
  },
  {
    method: "GET",
    path: `${P}/logged-models/:model_id/artifacts/directories`,
    cites: `reference 2.4 …/artifacts/directories; ${RECORDED} list_artifacts of a logged model`,
    handle(ask) {
      const query = queryOf(
        ask,
        z.strictObject({
          artifact_directory_path: z.string().default(""),
          page_token: z.string().optional(),
          model_id: z.string().optional(),
        }),
      );
      const model = modelOf(ask, ask.params.model_id ?? "");
      return ok({
        root_uri: model.artifact_uri,
        ...listed(ask, `logged_models/${model.model_id}`, query.artifact_directory_path, query.page_token),
      });
    },
  },
  ...(["read", "write"] as const).map(
    (way): Route => ({
      method: "POST",
      path: `${P}/artifacts/credentials-for-${way}`,
      cites: `reference 2.4 credentials-for-read · credentials-for-write; ${RECORDED} ${way === "read" ? "download_artifacts" : "log_artifact"}`,
      handle(ask) {
        const body = bodyOf(
          ask,
          z.strictObject({ ...runId, path: z.array(z.string()).default([]), page_token: z.string().optional() }),
        );
        const run = managed(runOf(ask, idOf(body), way === "read" ? "CAN_READ" : "CAN_EDIT"));
        if (body.path.length === 0) throw badValue("Missing value for required parameter 'path'.");
        const { items, next } = pageOf(body.path, tracking.of(ask.state).settings.credentialsPage, body.page_token);
        return ok({
          credential_infos: items.map((path) => ({
            run_id: run.run_id,
            ...sign(ask, { owner: `runs/${run.run_id}`, path: cleanPath(path), does: way === "read" ? "GET" : "PUT" }),
          })),
          ...(next === undefined ? {} : { next_page_token: next }),
        });
      },
    }),
  ),
  ...(["download", "upload"] as const).map(
    (way): Route => ({
      method: "POST",
      path: `${P}/logged-models/:model_id/artifacts/credentials-for-${way}`,
      cites: `reference 2.4 logged-models/{id}/artifacts/credentials-for-${way}; ${RECORDED} sklearn.${way === "upload" ? "log_model" : "load_model"}`,
      handle(ask) {
        const body = bodyOf(
          ask,
          z.strictObject({
            model_id: z.string().optional(),
            paths: z.array(z.string()).default([]),
            page_token: z.string().optional(),
          }),
        );
        const { model_id } = modelOf(ask, ask.params.model_id ?? "", way === "download" ? "CAN_READ" : "CAN_EDIT");
        if (body.paths.length === 0) throw badValue("Missing value for required parameter 'paths'.");
        const { items, next } = pageOf(body.paths, tracking.of(ask.state).settings.credentialsPage, body.page_token);
        return ok({
          credentials: items.map((path) => ({
            model_id,
            credential_info: sign(ask, {
              owner: `logged_models/${model_id}`,
              path: cleanPath(path),
              does: way === "download" ? "GET" : "PUT",
            }),
          })),
          ...(next === undefined ? {} : { next_page_token: next }),
        });
      },
    }),
  ),
  {
    method: "POST",
    path: `${P}/artifacts/create-multipart-upload`,
    cites: `reference 2.4 create-multipart-upload; ${RECORDED} log_artifact of a big file (it passes the id of a logged model as run_id)`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ run_id: z.string(), path: z.string(), num_parts: int64 }));
      const { owner } = ownerOf(ask, needed(body.run_id, "run_id"), "CAN_EDIT");
      const path = cleanPath(needed(body.path, "path"));
      if (body.num_parts < 1 || body.num_parts > 10_000)
        throw badValue(`Invalid value ${body.num_parts} for parameter 'num_parts': it must be between 1 and 10000.`);
      const upload = newId();
      tracking.of(ask.state).uploads.set(upload, { owner, path, parts: new Map() });
      const info = (does: Signature["does"], part?: number): object => ({
        run_id: body.run_id,
        ...sign(ask, { owner, path, does, upload, ...(part === undefined ? {} : { part }) }),
      });
      return ok({
        upload_id: upload,
        upload_credential_infos: Array.from({ length: body.num_parts }, (_, i) => info("PART", i + 1)),
        abort_credential_info: info("ABORT"),
      });
    },
  },
  {
    method: "GET",
    path: `${P}/artifacts/get-presigned-upload-part-url`,
    cites:
      "reference 2.4 get-presigned-upload-part-url; read from mlflow 3.17.2 databricks_artifact_repo._upload_part_retry",
    handle(ask) {
      const query = queryOf(
        ask,
        z.strictObject({ run_id: z.string(), path: z.string(), upload_id: z.string(), part_number: int64 }),
      );
      const { upload, owner, path } = uploadOf(ask, query);
      return ok({
        upload_credential_info: {
          run_id: query.run_id,
          ...sign(ask, { owner, path, does: "PART", upload, part: query.part_number }),
        },
      });
    },
  },
  {
    method: "POST",
    path: `${P}/artifacts/complete-multipart-upload`,
    cites: `reference 2.4 complete-multipart-upload; ${RECORDED} log_artifact of a big file`,
    handle: complete,
  },
];

function complete(ask: Ask) {
  const body = bodyOf(
    ask,
    z.strictObject({
      run_id: z.string(),
      path: z.string(),
      upload_id: z.string(),
      part_etags: z.array(z.strictObject({ part_number: int64, etag: z.string() })).default([]),
    }),
  );
  const { upload, owner, path, parts } = uploadOf(ask, body);
  const known = tracking.of(ask.state);
  const pieces = body.part_etags.map(({ part_number, etag }, i) => {
    const part = parts.get(part_number);
    if (part === undefined || part.etag !== etag)
      throw badValue(`InvalidPart: part ${part_number} could not be found, or its entity tag differs.`);
    if (i > 0 && part_number <= (body.part_etags[i - 1]?.part_number ?? 0))
      throw badValue("InvalidPartOrder: the list of parts was not in ascending order.");
    if (i < body.part_etags.length - 1 && part.size < known.settings.minPartBytes)
      throw badValue(
        `EntityTooSmall: part ${part_number} has ${part.size} bytes, fewer than ${known.settings.minPartBytes}.`,
      );
    return ask.state.blobs.get(part.digest);
  });
  if (pieces.length === 0) throw badValue("MalformedXML: at least one part is needed.");
  keep(ask, owner, path, Buffer.concat(pieces));
  known.uploads.delete(upload);
  return ok();
}

function uploadOf(ask: Ask, named: { run_id: string; path: string; upload_id: string }) {
  const { owner } = ownerOf(ask, needed(named.run_id, "run_id"), "CAN_EDIT");
  const found = tracking.of(ask.state).uploads.get(named.upload_id);
  if (found === undefined || found.owner !== owner || found.path !== cleanPath(named.path))
    throw notFound(`NoSuchUpload: upload ${named.upload_id} does not exist, was completed or aborted.`);
  return { upload: named.upload_id, ...found };
}

/** MLflow's client passes the id of a logged model where the call says run_id. */
function ownerOf(ask: Ask, id: string, level: "CAN_READ" | "CAN_EDIT"): { owner: string } {
  if (id.startsWith("m-")) return { owner: `logged_models/${modelOf(ask, id, level).model_id}` };
  return { owner: `runs/${managed(runOf(ask, id, level)).run_id}` };
}

/** Only files below `dbfs:/databricks/mlflow-tracking` are the workspace's to sign; a volume is reached by the Files API (reference 2.4). */
function managed(run: Run): Run {
  if (!run.artifact_uri.startsWith("dbfs:/databricks/mlflow-tracking/"))
    throw badValue(`The artifact location ${run.artifact_uri} is not managed by MLflow: use the Files API.`);
  return run;
}

export function keep(ask: Ask, owner: string, path: string, bytes: Buffer): StoredFile {
  const file = { digest: ask.state.blobs.put(bytes), size: bytes.length };
  filesOf(ask.state, owner).set(path, file);
  return file;
}

/** A URL that allows one thing for some minutes, to anybody who holds it; the key is in no list and cannot be guessed. */
export function sign(ask: Ask, what: Omit<Signature, "expires">) {
  const { signatures, settings } = tracking.of(ask.state);
  const key = randomBytes(24).toString("hex");
  signatures.set(key, { ...what, expires: ask.now() + settings.presignedSeconds * 1000 });
  const file = what.path.split("/").map(encodeURIComponent).join("/");
  return {
    path: what.path,
    signed_uri: `${ask.url}/presigned/${key}/${file}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=${settings.presignedSeconds}&X-Amz-Signature=${key}`,
    headers: what.does === "PUT" || what.does === "PART" ? settings.uploadHeaders : [],
    type: settings.credentialType,
  };
}

/** What lies directly in a folder, or the file itself. */
export function entriesOf(files: ReadonlyMap<string, StoredFile>, folder: string) {
  const own = files.get(folder);
  if (own !== undefined) return [{ path: folder, is_dir: false, file_size: own.size }];
  const prefix = folder === "" ? "" : `${folder}/`;
  const entries = new Map<string, { path: string; is_dir: boolean; file_size?: number }>();
  for (const [path, { size }] of files) {
    if (!path.startsWith(prefix)) continue;
    const [name = "", ...rest] = path.slice(prefix.length).split("/");
    entries.set(
      name,
      rest.length > 0 ? { path: prefix + name, is_dir: true } : { path: prefix + name, is_dir: false, file_size: size },
    );
  }
  return [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function listed(ask: Ask, owner: string, folder: string, token: string | undefined): object {
  const all = entriesOf(filesOf(ask.state, owner), cleanPath(folder));
  const { items, next } = pageOf(all, tracking.of(ask.state).settings.listPage, token);
  return { ...(items.length === 0 ? {} : { files: items }), ...(next === undefined ? {} : { next_page_token: next }) };
}
