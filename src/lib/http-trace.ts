import { errnoOf, messageOf } from "./error.ts";
import type { HttpReply, HttpRequest } from "./http.ts";
import { requestIdOf } from "./http-failure.ts";
import { httpSettings } from "./http-settings.ts";
import { publicUrl } from "./public-url.ts";
import { redact } from "./redact.ts";

/** One line on a request that was answered; `again` when it will be repeated after so many milliseconds. */
export function traceReply(
  request: HttpRequest,
  reply: HttpReply | undefined,
  ms: number,
  again: number | undefined,
): void {
  const { trace } = httpSettings();
  if (trace === undefined) return;
  // A streamed body was taken by its reader; only a good reply is.
  const status = reply === undefined ? "2xx" : String(reply.status);
  const size = reply === undefined ? "streamed" : `${Buffer.byteLength(reply.text)} B`;
  const id = reply === undefined ? undefined : requestIdOf(reply);
  trace(
    redact(
      `${asked(request)} → ${status} in ${Math.round(ms)} ms, ${size}${id === undefined ? "" : `, request ${id}`}${repeat(again)}`,
    ),
  );
}

/** One line on a request that got no reply. */
export function traceFailure(request: HttpRequest, error: unknown, ms: number, again: number | undefined): void {
  const { trace } = httpSettings();
  const what = errnoOf(error) ?? messageOf(error).split("\n")[0];
  trace?.(redact(`${asked(request)} → ${what} after ${Math.round(ms)} ms${repeat(again)}`));
}

/** Method and address with the names of the query, never its values: a signed address carries its secret there. */
function asked({ method, url, json, body }: HttpRequest): string {
  const names = [...new Set(new URL(url).searchParams.keys())].map((name) => `${name}=…`).join("&");
  const bytes =
    json !== undefined
      ? Buffer.byteLength(JSON.stringify(json))
      : body === undefined
        ? 0
        : "open" in body
          ? body.bytes
          : body.byteLength;
  return `${method} ${publicUrl(url)}${names === "" ? "" : `?${names}`}${bytes === 0 ? "" : ` (${bytes} B)`}`;
}

function repeat(again: number | undefined): string {
  return again === undefined ? "" : `, again in ${Math.round(again)} ms`;
}
