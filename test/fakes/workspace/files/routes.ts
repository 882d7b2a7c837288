import * as z from "zod";
import {
  type Ask,
  empty,
  flag,
  notFound,
  ok,
  pageOf,
  param,
  queryOf,
  type Reply,
  type Route,
  refuse,
} from "../route.ts";
import { bytesReply, headersOf } from "./bytes.ts";
import { demandFree, fileAt, isDirectory, placeOf } from "./place.ts";
import { childrenOf, files, makeDirectory, writeFile } from "./tree.ts";
import { uploadRoutes } from "./uploads.ts";

const FILES = "/api/2.0/fs/files/*path";
const DIRECTORIES = "/api/2.0/fs/directories/*path";

/** The Files API, for volumes and for the files of model versions. Reference 6.7. */
export const fileRoutes: readonly Route[] = [
  { method: "PUT", path: FILES, cites: "6.7, PUT: raw bytes, overwrite=false is 409 where something is", handle: put },
  { method: "GET", path: FILES, cites: "6.7, GET with Range and If-Unmodified-Since", handle: get },
  {
    method: "HEAD",
    path: FILES,
    cites: "6.7, HEAD: headers only",
    handle: (ask) => ({ status: 200, headers: headersOf(fileAt(ask, placeOf(ask, param(ask, "path"), "read"))) }),
  },
  {
    method: "DELETE",
    path: FILES,
    cites: "6.7, DELETE: 204, missing is 404",
    handle(ask) {
      const place = placeOf(ask, param(ask, "path"), "write");
      fileAt(ask, place);
      files.of(ask.state).entries.delete(place.key);
      return empty();
    },
  },
  {
    method: "PUT",
    path: DIRECTORIES,
    cites: "6.7, directories PUT: like mkdir -p, 409 when a file is there",
    handle(ask) {
      const place = placeOf(ask, param(ask, "path"), "write");
      if (!isDirectory(ask, place)) demandFree(ask, place, false);
      makeDirectory(ask.state, place.key);
      return empty();
    },
  },
  { method: "GET", path: DIRECTORIES, cites: "6.7, directories GET: paged", handle: list },
  {
    method: "HEAD",
    path: DIRECTORIES,
    cites: "6.7, directories HEAD",
    handle(ask) {
      const place = placeOf(ask, param(ask, "path"), "read");
      if (!isDirectory(ask, place)) throw notFound(`The directory ${place.path} does not exist.`, "NOT_FOUND");
      return { status: 200 };
    },
  },
  {
    method: "DELETE",
    path: DIRECTORIES,
    cites: "6.7, directories DELETE: only when empty",
    handle(ask) {
      const place = placeOf(ask, param(ask, "path"), "write");
      if (place.isRoot || !isDirectory(ask, place))
        throw notFound(`The directory ${place.path} does not exist.`, "NOT_FOUND");
      if (childrenOf(ask.state, place.key).length > 0)
        throw refuse(400, "INVALID_PARAMETER_VALUE", `The directory ${place.path} is not empty.`);
      files.of(ask.state).directories.delete(place.key);
      return empty();
    },
  },
  ...uploadRoutes,
];

function put(ask: Ask): Reply {
  const query = queryOf(ask, z.strictObject({ overwrite: flag.optional() }));
  const place = placeOf(ask, param(ask, "path"), "write");
  demandFree(ask, place, query.overwrite ?? true);
  writeFile(ask.state, place.key, ask.body, ask.now());
  return empty();
}

function get(ask: Ask): Reply {
  const place = placeOf(ask, param(ask, "path"), "read");
  const entry = fileAt(ask, place);
  const since = ask.headers["if-unmodified-since"];
  if (since !== undefined && Math.floor(entry.modified / 1000) * 1000 > Date.parse(since))
    throw refuse(412, "PRECONDITION_FAILED", `The file ${place.path} has changed.`);
  return bytesReply(ask, entry);
}

function list(ask: Ask): Reply {
  const schema = z.strictObject({
    page_size: z.coerce.number().int().min(0).max(1000).optional(),
    page_token: z.string().optional(),
  });
  const query = queryOf(ask, schema);
  const place = placeOf(ask, param(ask, "path"), "read");
  if (!isDirectory(ask, place)) throw notFound(`The directory ${place.path} does not exist.`, "NOT_FOUND");
  const { items, next } = pageOf(childrenOf(ask.state, place.key), query.page_size || 1000, query.page_token);
  const contents = items.map(({ name, entry }) => ({
    path: `${place.path}/${name}`,
    name,
    is_directory: entry === undefined,
    ...(entry !== undefined && { file_size: entry.size, last_modified: entry.modified }),
  }));
  // An empty list is left out, as proto JSON does.
  return ok({ ...(contents.length > 0 && { contents }), ...(next !== undefined && { next_page_token: next }) });
}
