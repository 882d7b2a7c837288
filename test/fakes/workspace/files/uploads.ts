import { createHash, randomUUID } from "node:crypto";
import * as z from "zod";
import {
  type Ask,
  badValue,
  bodyOf,
  empty,
  flag,
  inputOf,
  notFound,
  ok,
  param,
  queryOf,
  type Reply,
  type Route,
  refuse,
} from "../route.ts";
import { bytesReply } from "./bytes.ts";
import { demandFree, fileAt, placeOf } from "./place.ts";
import { files, isClosed, type Signed, type Upload, writeFile } from "./tree.ts";

const CITES = "6.7, large uploads; recorded: databricks-sdk 0.162 above its multipart threshold";
const STORAGE = "/_storage/:token";

const partsBody = z.strictObject({
  parts: z.array(z.strictObject({ part_number: z.int().min(1), etag: z.string() })),
});

/** Large files: an upload session, presigned addresses for its parts, completion; and presigned downloads. */
export const uploadRoutes: readonly Route[] = [
  { method: "POST", path: "/api/2.0/fs/files/*path", cites: CITES, handle: act },
  {
    method: "POST",
    path: "/api/2.0/fs/create-upload-part-urls",
    cites: CITES,
    handle(ask) {
      const schema = z.strictObject({
        path: z.string(),
        session_token: z.string(),
        start_part_number: z.int().min(1),
        count: z.int().min(1).max(1000),
        expire_time: z.string().optional(),
      });
      const body = bodyOf(ask, schema);
      uploadOf(ask, body.session_token);
      const upload_part_urls = Array.from({ length: body.count }, (_, i) => {
        const part = body.start_part_number + i;
        const url = sign(ask, {
          until: untilOf(ask, body.expire_time),
          does: "part",
          upload: body.session_token,
          part,
        });
        return { part_number: part, url, headers: [{ name: "Content-Type", value: "application/octet-stream" }] };
      });
      return ok({ upload_part_urls });
    },
  },
  {
    method: "POST",
    path: "/api/2.0/fs/create-abort-upload-url",
    cites: "6.7, create-abort-upload-url",
    handle(ask) {
      const schema = z.strictObject({
        path: z.string(),
        session_token: z.string(),
        expire_time: z.string().optional(),
      });
      const body = bodyOf(ask, schema);
      uploadOf(ask, body.session_token);
      const until = untilOf(ask, body.expire_time);
      return ok({
        abort_upload_url: { url: sign(ask, { until, does: "abort", upload: body.session_token }), headers: [] },
      });
    },
  },
  {
    method: "POST",
    path: "/api/2.0/fs/create-upload-url",
    cites: "recorded: mlflow 3.17.2, PresignedUrlArtifactRepository, for storage_mode DEFAULT_STORAGE",
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ path: z.string() }));
      const place = placeOf(ask, body.path.replace(/^\//, ""), "write");
      demandFree(ask, place, true);
      return ok({ url: sign(ask, { until: untilOf(ask, undefined), does: "upload", key: place.key }), headers: [] });
    },
  },
  {
    method: "POST",
    path: "/api/2.0/fs/create-download-url",
    cites: "recorded: databricks-sdk 0.162 (in the query) and mlflow 3.17.2 (in the body) ask it before a download",
    handle(ask) {
      const query = inputOf(ask, z.strictObject({ path: z.string(), expire_time: z.string().optional() }));
      const place = placeOf(ask, query.path.replace(/^\//, ""), "read");
      fileAt(ask, place);
      return ok({
        url: sign(ask, { until: untilOf(ask, query.expire_time), does: "download", key: place.key }),
        headers: [],
      });
    },
  },
  {
    method: "DELETE",
    path: STORAGE,
    access: "open",
    cites: "6.7: what create-abort-upload-url gives is asked with DELETE",
    handle: abort,
  },
  { method: "PUT", path: STORAGE, access: "open", cites: "6.7: a part goes to its presigned address", handle: putPart },
  {
    method: "GET",
    path: STORAGE,
    access: "open",
    cites: "recorded: databricks-sdk 0.162, presigned download",
    handle: download,
  },
];

function act(ask: Ask): Reply {
  const schema = z.strictObject({
    action: z.enum(["initiate-upload", "complete-upload", "abort-upload"]),
    overwrite: flag.optional(),
    upload_type: z.enum(["multipart", "resumable"]).optional(),
    session_token: z.string().optional(),
  });
  const query = queryOf(ask, schema);
  const place = placeOf(ask, param(ask, "path"), "write");
  if (query.action === "initiate-upload") {
    const overwrite = query.overwrite ?? true;
    demandFree(ask, place, overwrite);
    const session = randomUUID();
    const { path, key } = place;
    files.of(ask.state).uploads.set(session, { key, path, overwrite, principal: ask.principal.name, parts: new Map() });
    return ok({ multipart_upload: { session_token: session } });
  }
  const session = query.session_token ?? "";
  const upload = uploadOf(ask, session);
  if (upload.key !== place.key) throw badValue("The session token belongs to another path.");
  if (query.action === "complete-upload") {
    const { parts } = bodyOf(ask, partsBody);
    demandFree(ask, place, upload.overwrite);
    writeFile(ask.state, upload.key, joined(ask, upload, parts), ask.now());
  }
  files.of(ask.state).uploads.delete(session);
  return empty();
}

function joined(ask: Ask, upload: Upload, parts: readonly { part_number: number; etag: string }[]): Buffer {
  if (parts.length === 0) throw badValue("No parts were given.");
  return Buffer.concat(
    [...parts]
      .sort((a, b) => a.part_number - b.part_number)
      .map(({ part_number, etag }) => {
        const part = upload.parts.get(part_number);
        if (part === undefined || part.etag !== etag)
          throw badValue(`Part ${part_number} was not uploaded, or is another.`);
        return ask.state.blobs.get(part.digest);
      }),
  );
}

function uploadOf(ask: Ask, session: string): Upload {
  const upload = files.of(ask.state).uploads.get(session);
  if (upload === undefined || upload.principal !== ask.principal.name)
    throw notFound("The upload session does not exist.", "NOT_FOUND");
  return upload;
}

function sign(ask: Ask, what: Signed): string {
  const token = randomUUID();
  files.of(ask.state).signed.set(token, what);
  return `${ask.url}${STORAGE.replace(":token", token)}`;
}

const untilOf = (ask: Ask, expires: string | undefined): number =>
  Math.min(ask.now() + 900_000, expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(expires));

/** Storage knows the signature in the address only; the workspace's token must not come along. */
function signedFor(ask: Ask): Signed {
  if (ask.headers.authorization !== undefined)
    throw refuse(400, "InvalidArgument", "Only one auth mechanism allowed: the address is signed already.");
  const what = files.of(ask.state).signed.get(param(ask, "token"));
  if (what === undefined || what.until <= ask.now()) throw refuse(403, "AccessDenied", "Request has expired");
  return what;
}

function putPart(ask: Ask): Reply {
  const what = signedFor(ask);
  if (what.does === "upload") {
    if (isClosed(ask.state, what.key)) throw refuse(403, "AccessDenied", "The version is finalized.");
    writeFile(ask.state, what.key, ask.body, ask.now());
    return { status: 200 };
  }
  const upload = what.does === "part" ? files.of(ask.state).uploads.get(what.upload) : undefined;
  if (what.does !== "part" || upload === undefined) throw refuse(404, "NoSuchUpload", "The upload does not exist.");
  const etag = `"${createHash("md5").update(ask.body).digest("hex")}"`;
  upload.parts.set(what.part, { digest: ask.state.blobs.put(ask.body), etag });
  return { status: 200, headers: { etag } };
}

function abort(ask: Ask): Reply {
  const what = signedFor(ask);
  if (what.does !== "abort" || !files.of(ask.state).uploads.delete(what.upload))
    throw refuse(404, "NoSuchUpload", "The upload does not exist.");
  return empty();
}

function download(ask: Ask): Reply {
  const what = signedFor(ask);
  const entry = what.does === "download" ? files.of(ask.state).entries.get(what.key) : undefined;
  if (entry === undefined) throw refuse(404, "NoSuchKey", "The specified key does not exist.");
  return bytesReply(ask, entry);
}
