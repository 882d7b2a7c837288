import { createHash } from "node:crypto";
import type { Ask, Reply, Route } from "../route.ts";
import { keep } from "./artifacts.ts";
import { uploadToAzure } from "./presigned-azure.ts";
import { filesOf, type Signature, tracking } from "./state.ts";

const CITES = "reference 2.4: PUT bytes to signed_uri with given headers; recorded: mlflow 3.17.2, no Authorization";

/** Storage behind presigned URLs: it knows nothing of tokens, and refuses a request that brings one. */
export const presignedRoutes: readonly Route[] = (["GET", "PUT", "PATCH", "DELETE"] as const).map(
  (method): Route => ({
    method,
    path: "/presigned/:key/*path",
    cites: CITES,
    access: "open",
    handle: (ask) => answer(ask, method),
  }),
);

function answer(ask: Ask, method: "GET" | "PUT" | "PATCH" | "DELETE"): Reply {
  if (ask.headers.authorization !== undefined)
    return problem(
      400,
      "InvalidArgument",
      "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
    );
  const known = tracking.of(ask.state);
  const signature = known.signatures.get(ask.params.key ?? "");
  if (
    signature === undefined ||
    signature.path !== ask.params.path ||
    ask.query.get("X-Amz-Signature") !== ask.params.key
  )
    return problem(
      403,
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided.",
    );
  if (signature.expires <= ask.now()) return problem(403, "AccessDenied", "Request has expired");
  const isAzure = known.settings.credentialType.startsWith("AZURE");
  if (isAzure && signature.does === "PUT" && (method === "PUT" || method === "PATCH"))
    return sizeProblem(ask) ?? uploadToAzure(ask, signature);
  const allowed = { GET: "GET", PUT: "PUT", PART: "PUT", ABORT: "DELETE" }[signature.does];
  if (allowed !== method)
    return problem(403, "SignatureDoesNotMatch", `The URL was signed for ${allowed}, not for ${method}.`);
  if (method === "GET") return download(ask, signature);
  if (method === "PUT") return upload(ask, signature);
  known.uploads.delete(signature.upload ?? "");
  return { status: 204 };
}

function download(ask: Ask, { owner, path }: Signature): Reply {
  const file = filesOf(ask.state, owner).get(path);
  if (file === undefined) return problem(404, "NoSuchKey", "The specified key does not exist.");
  const bytes = ask.state.blobs.get(file.digest);
  const headers = { etag: etagOf(bytes), "accept-ranges": "bytes", "content-type": "application/octet-stream" };
  const range = /^bytes=(\d+)-(\d*)$/.exec(ask.headers.range ?? "");
  if (range === null) return { status: 200, headers, body: bytes };
  const start = Number(range[1]);
  const end = Math.min(range[2] ? Number(range[2]) : bytes.length - 1, bytes.length - 1);
  if (start > end) return problem(416, "InvalidRange", "The requested range is not satisfiable");
  return {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${start}-${end}/${bytes.length}` },
    body: bytes.subarray(start, end + 1),
  };
}

function upload(ask: Ask, signature: Signature): Reply {
  const known = tracking.of(ask.state);
  const wrong = sizeProblem(ask);
  if (wrong !== undefined) return wrong;
  for (const { name, value } of known.settings.uploadHeaders)
    if (ask.headers[name.toLowerCase()] !== value)
      return problem(
        403,
        "SignatureDoesNotMatch",
        `The header ${name} is missing or differs from the one that was signed.`,
      );
  const etag = etagOf(ask.body);
  if (signature.does === "PUT") {
    keep(ask, signature.owner, signature.path, ask.body);
    return { status: 200, headers: { etag } };
  }
  const parts = known.uploads.get(signature.upload ?? "")?.parts;
  if (parts === undefined)
    return problem(
      404,
      "NoSuchUpload",
      "The specified multipart upload does not exist. It might have been aborted or completed.",
    );
  parts.set(signature.part ?? 0, { digest: ask.state.blobs.put(ask.body), etag, size: ask.body.length });
  return { status: 200, headers: { etag } };
}

/** Storage wants to know the length of a body before it comes. */
function sizeProblem(ask: Ask): Reply | undefined {
  if (ask.headers["transfer-encoding"] !== undefined)
    return problem(
      501,
      "NotImplemented",
      "A header you provided implies functionality that is not implemented: Transfer-Encoding",
    );
  if (ask.headers["content-length"] === undefined)
    return problem(411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
  return undefined;
}

const etagOf = (bytes: Buffer): string => `"${createHash("md5").update(bytes).digest("hex")}"`;

const problem = (status: number, code: string, message: string): Reply => ({
  status,
  headers: { "content-type": "application/xml" },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
});
