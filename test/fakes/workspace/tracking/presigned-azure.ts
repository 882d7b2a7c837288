import type { Ask, Reply } from "../route.ts";
import { keep } from "./artifacts.ts";
import { type Signature, tracking } from "./state.ts";

/** Uploads to a SAS address of Azure: whole, in blocks, or appended and flushed (reference 2.4). */
export function uploadToAzure(ask: Ask, signature: Signature): Reply {
  const { settings } = tracking.of(ask.state);
  return settings.credentialType === "AZURE_SAS_URI" ? toBlob(ask, signature) : toDataLake(ask, signature);
}

/** What was staged for a file and is no part of it yet: by block id, or by position. */
function stagedFor(ask: Ask, { owner, path }: Signature): Map<string, string> {
  const { staged } = tracking.of(ask.state);
  const key = `${owner}/${path}`;
  const present = staged.get(key) ?? new Map<string, string>();
  staged.set(key, present);
  return present;
}

function commit(ask: Ask, signature: Signature, digests: readonly string[]): void {
  keep(ask, signature.owner, signature.path, Buffer.concat(digests.map((digest) => ask.state.blobs.get(digest))));
  tracking.of(ask.state).staged.delete(`${signature.owner}/${signature.path}`);
}

function toBlob(ask: Ask, signature: Signature): Reply {
  if (ask.method !== "PUT")
    return problem(405, "UnsupportedHttpVerb", "The resource doesn't support the specified HTTP verb.");
  const staged = stagedFor(ask, signature);
  switch (ask.query.get("comp")) {
    case null:
      if (ask.headers["x-ms-blob-type"] !== "BlockBlob")
        return problem(
          400,
          "MissingRequiredHeader",
          "An HTTP header that's mandatory for this request is not specified: x-ms-blob-type.",
        );
      keep(ask, signature.owner, signature.path, ask.body);
      return { status: 201 };
    case "block": {
      const id = ask.query.get("blockid") ?? "";
      if (id === "" || Buffer.from(id, "base64").toString("base64") !== id)
        return problem(400, "InvalidQueryParameterValue", "Value for the query parameter blockid is invalid.");
      staged.set(id, ask.state.blobs.put(ask.body));
      return { status: 201 };
    }
    case "blocklist": {
      const ids = [...ask.body.toString("utf8").matchAll(/<(?:Uncommitted|Latest)>([^<]+)</g)].map(
        (each) => each[1] ?? "",
      );
      const digests = ids.map((id) => staged.get(id));
      if (digests.includes(undefined)) return problem(400, "InvalidBlockList", "The specified block list is invalid.");
      commit(
        ask,
        signature,
        digests.flatMap((each) => each ?? []),
      );
      return { status: 201 };
    }
    default:
      return problem(400, "InvalidQueryParameterValue", "Value for the query parameter comp is invalid.");
  }
}

function toDataLake(ask: Ask, signature: Signature): Reply {
  const staged = stagedFor(ask, signature);
  if (ask.method === "PUT") {
    if (ask.query.get("resource") !== "file")
      return problem(
        400,
        "MissingRequiredQueryParameter",
        "A query parameter that's mandatory for this request is not specified: resource.",
      );
    staged.clear();
    staged.set("created", ask.state.blobs.put(Buffer.alloc(0)));
    return { status: 201 };
  }
  const action = ask.query.get("action");
  const position = Number(ask.query.get("position"));
  if (!staged.has("created")) return problem(404, "PathNotFound", "The specified path does not exist.");
  if (action === "append") {
    staged.set(String(position), ask.state.blobs.put(ask.body));
    return ask.query.get("flush") === "true"
      ? flush(ask, signature, staged, position + ask.body.length)
      : { status: 202 };
  }
  if (action === "flush") return flush(ask, signature, staged, position);
  return problem(400, "InvalidQueryParameterValue", "Value for the query parameter action is invalid.");
}

/** The pieces must lie end to end, up to the position that is flushed. */
function flush(ask: Ask, signature: Signature, staged: ReadonlyMap<string, string>, end: number): Reply {
  const digests: string[] = [];
  for (let at = 0; at < end; ) {
    const digest = staged.get(String(at));
    const size = digest === undefined ? 0 : ask.state.blobs.get(digest).length;
    if (digest === undefined || size === 0 || at + size > end)
      return problem(
        400,
        "InvalidFlushPosition",
        "The uploaded data is not contiguous or the position query parameter value is not equal to the length of the file.",
      );
    digests.push(digest);
    at += size;
  }
  commit(ask, signature, digests);
  return { status: 200 };
}

const problem = (status: number, code: string, message: string): Reply => ({
  status,
  headers: { "content-type": "application/xml", "x-ms-error-code": code },
  body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
});
