import { type Ask, badValue, denied, notFound, refuse } from "../route.ts";
import { growModel } from "../unity/models.ts";
import { demand, demandContainers, missing } from "../unity/rights.ts";
import { unity } from "../unity/store.ts";
import { demandCreator, readVersion } from "../unity/versions.ts";
import { files, versionKey, volumeKey } from "./tree.ts";

/** Where a path of the Files API leads. */
export interface Place {
  /** The path as asked, clean. */
  path: string;
  key: string;
  /** The volume or version itself. */
  isRoot: boolean;
}

/** Finds the place of `/Volumes/…` or `/Models/…`, if the principal may go there. */
export function placeOf(ask: Ask, rest: string, does: "read" | "write"): Place {
  const path = `/${rest.replace(/\/+$/, "")}`;
  const parts = path.slice(1).split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    throw badValue(`Invalid path ${path}: empty, '.' and '..' segments are not allowed.`);
  if (parts[0] === "Volumes" && parts.length >= 4) return volumePlace(ask, path, parts, does);
  if (parts[0] === "Models" && parts.length >= 5) return modelPlace(ask, path, parts, does);
  throw notFound(`The path ${path} is neither in a volume nor in a model version.`, "NOT_FOUND");
}

function volumePlace(ask: Ask, path: string, parts: readonly string[], does: "read" | "write"): Place {
  const fullName = parts.slice(1, 4).join(".").toLowerCase();
  demandContainers(ask.state, ask.principal, "volume", fullName);
  const volume = unity.of(ask.state).volumes.get(fullName);
  if (volume === undefined) throw missing("volume", fullName);
  demand(ask.state, ask.principal, "volume", fullName, does === "read" ? "READ_VOLUME" : "WRITE_VOLUME");
  return at(volumeKey(volume.volume_id), path, parts.slice(4));
}

/** Read by whoever may use the model once it is READY; written by who made the version while it is PENDING (reference 4.2 and 4.3). */
function modelPlace(ask: Ask, path: string, parts: readonly string[], does: "read" | "write"): Place {
  const name = parts.slice(1, 4).join(".");
  const number = /^\d{1,9}$/.test(parts[4] ?? "") ? Number(parts[4]) : undefined;
  if (number === undefined) throw notFound(`The path ${path} names no version.`, "NOT_FOUND");
  if (does === "write") growModel(ask, name);
  const { model, version } = readVersion(ask, name, number);
  if (does === "write") {
    if (version.status !== "PENDING_REGISTRATION")
      throw denied(`Version ${number} of the model is ${version.status}: its files can no longer be changed.`);
    demandCreator(ask, version);
  } else if (version.status !== "READY") demandCreator(ask, version);
  return at(versionKey(model.id, number), path, parts.slice(5));
}

const at = (root: string, path: string, rest: readonly string[]): Place => ({
  path,
  key: [root, ...rest].join("/"),
  isRoot: rest.length === 0,
});

/** The file at a place, or 404. */
export function fileAt(ask: Ask, place: Place) {
  const entry = files.of(ask.state).entries.get(place.key);
  if (entry === undefined) throw notFound(`The file ${place.path} does not exist.`, "NOT_FOUND");
  return entry;
}

export const isDirectory = (ask: Ask, place: Place): boolean =>
  place.isRoot || files.of(ask.state).directories.has(place.key);

/** Refuses a write to where something else is. */
export function demandFree(ask: Ask, place: Place, overwrite: boolean): void {
  if (place.isRoot || isDirectory(ask, place)) throw refuse(409, "ALREADY_EXISTS", `${place.path} is a directory.`);
  if (!overwrite && files.of(ask.state).entries.has(place.key))
    throw refuse(409, "ALREADY_EXISTS", `The file ${place.path} already exists.`);
  let above = place.key;
  while (above.includes("/")) {
    above = above.slice(0, above.lastIndexOf("/"));
    if (files.of(ask.state).entries.has(above))
      throw refuse(409, "ALREADY_EXISTS", `A file is in the way of ${place.path}.`);
  }
}
