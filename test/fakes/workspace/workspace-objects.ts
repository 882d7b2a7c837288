import * as z from "zod";
import { createAcl, entryOf, hasLevel } from "./acl.ts";
import {
  type Ask,
  badValue,
  bodyOf,
  denied,
  flag,
  notFound,
  ok,
  queryOf,
  type Reply,
  type Route,
  refuse,
} from "./route.ts";
import { folderExists, inheritedEntries, type WorkspaceObject, workspaceTree } from "./workspace-files.ts";

const P = "/api/2.0/workspace";
const SDK = "driven by databricks-sdk workspace";
const MOST = 10 * 1024 * 1024;
const LANGUAGES: Readonly<Record<string, string>> = { py: "PYTHON", sql: "SQL", scala: "SCALA", r: "R" };

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/";
const missing = (path: string): Error => notFound(`Path (${path}) doesn't exist.`);

/** Absolute, without the name of the mount and without a slash at the end. */
function placed(given: string): string {
  const path = given.replace(/^\/Workspace(?=\/)/, "").replace(/(?<=.)\/+$/, "");
  if (!path.startsWith("/") || path.split("/").some((part) => part === ".." || part === "."))
    throw badValue(`Path (${given}) must be absolute.`);
  return path;
}

/** Everybody writes to `/Shared` and to the own home; elsewhere who may edit the folder. */
function demandWrite(ask: Ask, path: string): void {
  if (ask.principal.admin || path.startsWith("/Shared/") || path === "/Shared") return;
  if (path.startsWith(`/Users/${ask.principal.name}/`)) return;
  for (let at = parentOf(path); at !== "/"; at = parentOf(at)) {
    const folder = workspaceTree.of(ask.state).objects.get(at);
    if (folder !== undefined && hasLevel(ask.state, "directories", String(folder.object_id), ask.principal, "CAN_EDIT"))
      return;
  }
  throw denied(`${ask.principal.name} does not have permission to write to ${path}.`);
}

function keep(
  ask: Ask,
  path: string,
  what: Pick<WorkspaceObject, "object_type"> & { bytes?: Buffer; language?: string },
): void {
  const tree = workspaceTree.of(ask.state);
  const before = tree.objects.get(path);
  const object: WorkspaceObject = {
    path,
    object_type: what.object_type,
    object_id: before?.object_id ?? tree.nextId++,
    ...(what.language === undefined ? {} : { language: what.language }),
    ...(what.bytes === undefined ? {} : { digest: ask.state.blobs.put(what.bytes), size: what.bytes.length }),
    created_at: before?.created_at ?? ask.now(),
    modified_at: ask.now(),
  };
  tree.objects.set(path, object);
  const type = { DIRECTORY: "directories", NOTEBOOK: "notebooks", FILE: "files" }[what.object_type];
  if (before === undefined)
    createAcl(
      ask.state,
      type,
      String(object.object_id),
      entryOf(ask.principal, "CAN_MANAGE"),
      inheritedEntries(ask.state, parentOf(path)),
    );
}

function writeObject(
  ask: Ask,
  given: string,
  bytes: Buffer,
  how: { format: string; language?: string | undefined; overwrite: boolean },
): Reply {
  const named = placed(given);
  demandWrite(ask, named);
  if (bytes.length > MOST) throw refuse(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", `The content is larger than ${MOST} bytes.`);
  const extension = named.split(".").at(-1)?.toLowerCase() ?? "";
  const marked = /^(?:#|--|\/\/) Databricks notebook source/.test(bytes.subarray(0, 60).toString("utf8"));
  const isNotebook =
    how.format === "SOURCE" || how.format === "JUPYTER" || (how.format === "AUTO" && (marked || extension === "ipynb"));
  if (how.format === "SOURCE" && how.language === undefined)
    throw badValue("language is required for the format SOURCE.");
  const path = isNotebook && how.format === "AUTO" ? named.replace(/\.\w+$/, "") : named;
  if (!folderExists(ask.state, parentOf(path))) throw notFound(`The parent folder (${parentOf(path)}) does not exist.`);
  const before = workspaceTree.of(ask.state).objects.get(path);
  if (folderExists(ask.state, path)) throw refuse(400, "RESOURCE_ALREADY_EXISTS", `Path (${path}) is a folder.`);
  if (before !== undefined && !how.overwrite)
    throw refuse(400, "RESOURCE_ALREADY_EXISTS", `Path (${path}) already exists.`);
  const language = how.language ?? LANGUAGES[extension];
  keep(ask, path, {
    object_type: isNotebook ? "NOTEBOOK" : "FILE",
    bytes,
    ...(isNotebook && language !== undefined ? { language } : {}),
  });
  return ok();
}

const FORMATS = z.enum(["SOURCE", "AUTO", "RAW", "JUPYTER", "HTML", "DBC", "R_MARKDOWN"]);
const shown = ({ digest: _, ...rest }: WorkspaceObject): object => rest;

/** Folders, notebooks and files of the workspace, as far as a bundle's deployment needs them (reference 6.7). */
export const workspaceObjectRoutes: readonly Route[] = [
  {
    method: "POST",
    path: `${P}/mkdirs`,
    cites: `reference 6.7 mkdirs; ${SDK}.mkdirs`,
    handle(ask) {
      const path = placed(bodyOf(ask, z.strictObject({ path: z.string() })).path);
      if (!folderExists(ask.state, path)) demandWrite(ask, path);
      const parts = path.split("/").slice(1);
      for (const [i] of parts.entries()) {
        const at = `/${parts.slice(0, i + 1).join("/")}`;
        if (folderExists(ask.state, at)) continue;
        if (workspaceTree.of(ask.state).objects.has(at))
          throw refuse(400, "RESOURCE_ALREADY_EXISTS", `Path (${at}) is no folder.`);
        keep(ask, at, { object_type: "DIRECTORY" });
      }
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/import`,
    cites: `reference 6.7 workspace/import: base64, ≤10 MB; ${SDK}.import_ and .upload, which sends a form`,
    handle(ask) {
      const form = /^multipart\/form-data;.*boundary="?([^";]+)"?/.exec(ask.headers["content-type"] ?? "")?.[1];
      const fields = form === undefined ? undefined : formOf(ask.body, form);
      const body =
        fields === undefined
          ? bodyOf(
              ask,
              z.strictObject({
                path: z.string(),
                content: z.string().default(""),
                format: FORMATS.default("SOURCE"),
                language: z.string().optional(),
                overwrite: z.boolean().default(false),
              }),
            )
          : {
              path: fields.get("path")?.toString("utf8") ?? "",
              format: FORMATS.parse(fields.get("format")?.toString("utf8") ?? "SOURCE"),
              language: fields.get("language")?.toString("utf8"),
              overwrite: fields.get("overwrite")?.toString("utf8") === "true",
            };
      const bytes = fields?.get("content") ?? Buffer.from("content" in body ? body.content : "", "base64");
      return writeObject(ask, body.path, bytes, body);
    },
  },
  {
    method: "POST",
    path: "/api/2.0/workspace-files/import-file/*path",
    cites: "reference 6.7 workspace-files/import-file: raw body, q(overwrite), as the Databricks CLI uploads",
    handle(ask) {
      const { overwrite } = queryOf(ask, z.strictObject({ overwrite: flag.default(false) }));
      return writeObject(ask, `/${ask.params.path}`, ask.body, { format: "AUTO", overwrite });
    },
  },
  {
    method: "GET",
    path: `${P}/get-status`,
    cites: `reference 6.7 get-status; ${SDK}.get_status`,
    handle(ask) {
      const { path: given } = queryOf(
        ask,
        z.strictObject({ path: z.string(), return_export_info: z.string().optional() }),
      );
      const path = placed(given);
      const object = workspaceTree.of(ask.state).objects.get(path);
      if (object !== undefined) return ok(shown(object));
      if (!folderExists(ask.state, path)) throw missing(path);
      return ok({ path, object_type: "DIRECTORY", object_id: 1 });
    },
  },
  {
    method: "GET",
    path: `${P}/export`,
    cites: `reference 6.7 export; ${SDK}.export and .download, which asks for the bytes`,
    handle(ask) {
      const query = queryOf(
        ask,
        z.strictObject({ path: z.string(), format: z.string().optional(), direct_download: flag.optional() }),
      );
      const object = workspaceTree.of(ask.state).objects.get(placed(query.path));
      if (object?.digest === undefined) throw missing(query.path);
      const bytes = ask.state.blobs.get(object.digest);
      if (query.direct_download === true) return { status: 200, body: bytes };
      return ok({ content: bytes.toString("base64"), file_type: object.path.split(".").at(-1) });
    },
  },
  {
    method: "GET",
    path: `${P}/list`,
    cites: `reference 6.7 list; ${SDK}.list`,
    handle(ask) {
      const query = queryOf(ask, z.strictObject({ path: z.string(), notebooks_modified_after: z.string().optional() }));
      const path = placed(query.path);
      if (!folderExists(ask.state, path)) throw missing(path);
      const inside = [...workspaceTree.of(ask.state).objects.values()].filter((each) => parentOf(each.path) === path);
      return ok(inside.length === 0 ? {} : { objects: inside.map(shown) });
    },
  },
  {
    method: "POST",
    path: `${P}/delete`,
    cites: `reference 6.7 delete b(recursive); ${SDK}.delete`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ path: z.string(), recursive: z.boolean().default(false) }));
      const path = placed(body.path);
      const { objects } = workspaceTree.of(ask.state);
      if (!objects.has(path)) throw missing(path);
      demandWrite(ask, path);
      const inside = [...objects.keys()].filter((each) => each.startsWith(`${path}/`));
      if (inside.length > 0 && !body.recursive)
        throw refuse(400, "DIRECTORY_NOT_EMPTY", `Folder (${path}) is not empty.`);
      for (const each of [path, ...inside]) objects.delete(each);
      return ok();
    },
  },
];

/** Fields of a form, as `requests` writes it. */
function formOf(body: Buffer, boundary: string): Map<string, Buffer> {
  const fields = new Map<string, Buffer>();
  const mark = Buffer.from(`--${boundary}`);
  for (let at = body.indexOf(mark); at >= 0; ) {
    const next = body.indexOf(mark, at + mark.length);
    if (next < 0) break;
    const part = body.subarray(at + mark.length + 2, next - 2);
    const split = part.indexOf("\r\n\r\n");
    const name = /name="([^"]*)"/.exec(part.subarray(0, split).toString("utf8"))?.[1];
    if (name !== undefined) fields.set(name, part.subarray(split + 4));
    at = next;
  }
  return fields;
}
