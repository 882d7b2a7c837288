import { outsideError } from "../../lib/error.ts";
import { accept, type Call, isNotFound, type MlflowApi } from "../mlflow/mlflow-api.ts";
import type { ArtifactPlace } from "./artifact-places.ts";
import {
  type CredentialBody,
  modelCredentials,
  multipartUpload,
  nothing,
  partCredential,
  runCredentials,
} from "./tracking-schemas.ts";

export type Managed = Exclude<ArtifactPlace, { of: "volume" }>;

/** An address that whoever holds it may use for one thing, for some minutes. It goes without any other credential. */
export interface SignedAddress {
  url: string;
  headers: Readonly<Record<string, string>>;
  storage: "aws" | "gcp" | "azure-blob" | "azure-files";
}

const STORAGE: Readonly<Record<string, SignedAddress["storage"]>> = {
  AWS_PRESIGNED_URL: "aws",
  GCP_SIGNED_URL: "gcp",
  AZURE_SAS_URI: "azure-blob",
  AZURE_ADLS_GEN2_SAS_URI: "azure-files",
};

/** A big upload to AWS, in parts. */
export interface Multipart {
  parts: readonly SignedAddress[];
  /** A new address for a part whose own is no longer taken. */
  renew(part: number): Promise<SignedAddress>;
  complete(etags: readonly string[]): Promise<void>;
  /** Undefined: the workspace named none. */
  abort: SignedAddress | undefined;
}

/** Where a workspace lets bytes of runs and logged models be read and written. */
export interface SignedAddresses {
  /** Undefined when the workspace knows no such file. */
  toRead(place: Managed): Promise<SignedAddress | undefined>;
  toWrite(place: Managed): Promise<SignedAddress>;
  inParts(place: Managed, parts: number): Promise<Multipart>;
}

/** Asks the workspace for them. `host` is its origin: storage is reached by https, or as the workspace itself is. */
export function signedAddresses(exchange: MlflowApi["exchange"], host: string): SignedAddresses {
  const address = (body: CredentialBody, label: string): SignedAddress => addressOf(body, host, label);
  const ask = async (place: Managed, read: boolean): Promise<SignedAddress | undefined> => {
    const { request, reply } = await exchange(callFor(place, read));
    if (read && isNotFound(reply)) return undefined;
    const infos =
      place.of === "run"
        ? accept(request, reply, runCredentials).credential_infos
        : accept(request, reply, modelCredentials).credentials.map((each) => each.credential_info);
    const [only, ...others] = infos;
    if (only === undefined || others.length > 0)
      throw outsideError(
        "mlflow.artifacts",
        `${host} was asked for one address of ${place.path}, and gave ${infos.length}`,
      );
    return address(only, place.path);
  };
  return {
    toRead: (place) => ask(place, true),
    async toWrite(place) {
      const found = await ask(place, false);
      if (found === undefined) throw new TypeError("unreachable");
      return found;
    },
    async inParts(place, count) {
      // The workspace takes the id of a logged model here too, as MLflow's own client gives it.
      const what = { run_id: place.id, path: place.path };
      const send = async (call: Call) => {
        const { request, reply } = await exchange(call);
        return <T>(schema: Parameters<typeof accept<T>>[2]) => accept(request, reply, schema);
      };
      const json = { ...what, num_parts: count };
      // Repeated, it begins another one: the first is never completed, and its parts count for nothing.
      const begun = await send({
        method: "POST",
        path: "artifacts/create-multipart-upload",
        json,
        idempotent: true,
      });
      const { upload_id, upload_credential_infos, abort_credential_info } = begun(multipartUpload);
      if (upload_credential_infos.length !== count)
        throw outsideError(
          "mlflow.artifacts",
          `${host} was asked for ${count} parts of ${place.path}, and gave ${upload_credential_infos.length}`,
        );
      return {
        parts: upload_credential_infos.map((each) => address(each, place.path)),
        async renew(part) {
          const query = { ...what, upload_id, part_number: String(part) };
          const got = await send({ method: "GET", path: "artifacts/get-presigned-upload-part-url", query });
          return address(got(partCredential).upload_credential_info, place.path);
        },
        async complete(etags) {
          const part_etags = etags.map((etag, i) => ({ part_number: i + 1, etag }));
          const all = { ...what, upload_id, part_etags };
          const done = await send({ method: "POST", path: "artifacts/complete-multipart-upload", json: all });
          done(nothing);
        },
        abort: abort_credential_info === undefined ? undefined : address(abort_credential_info, place.path),
      };
    },
  };
}

function callFor(place: Managed, read: boolean): Call {
  // Asking for an address changes nothing.
  const call = { method: "POST" as const, idempotent: true };
  return place.of === "run"
    ? {
        ...call,
        path: `artifacts/credentials-for-${read ? "read" : "write"}`,
        json: { run_id: place.id, path: [place.path] },
      }
    : {
        ...call,
        path: `logged-models/${encodeURIComponent(place.id)}/artifacts/credentials-for-${read ? "download" : "upload"}`,
        json: { paths: [place.path] },
      };
}

function addressOf(body: CredentialBody, host: string, label: string): SignedAddress {
  const storage = STORAGE[body.type];
  if (storage === undefined)
    throw outsideError(
      "mlflow.artifacts",
      `the bytes of ${label} are in a storage of kind ${JSON.stringify(body.type.slice(0, 60))}, which is not known`,
    );
  const parsed = URL.canParse(body.signed_uri) ? new URL(body.signed_uri) : undefined;
  if (parsed === undefined || (parsed.protocol !== "https:" && parsed.protocol !== new URL(host).protocol))
    throw outsideError("mlflow.artifacts", `${host} gave an address for ${label} that is not an https one`);
  const headers = Object.fromEntries(body.headers.map(({ name, value }) => [name, value]));
  return { url: body.signed_uri, headers, storage };
}
