import * as z from "zod";

export interface Answered {
  status: number;
  json: Record<string, unknown>;
  text: string;
  headers: Headers;
}

export type Caller = (method: string, path: string, body?: unknown) => Promise<Answered>;

const object = z.record(z.string(), z.unknown());

/** Plain calls with a token, for tests of the fake itself. An object is sent as JSON, the rest as it is. */
export function caller(url: string, token?: string, headers: Readonly<Record<string, string>> = {}): Caller {
  return async (method, path, body) => {
    const raw = typeof body === "string" || body instanceof Uint8Array;
    const response = await fetch(path.startsWith("http") ? path : `${url}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined || raw ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = object.safeParse(parsed(text));
    return { status: response.status, json: json.success ? json.data : {}, text, headers: response.headers };
  };
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

/** Names and types without the values; of a list, what its items have together. */
export function shapeOf(value: unknown, ignore: readonly string[] = []): unknown {
  if (Array.isArray(value)) {
    const shapes = value.map((each) => JSON.stringify(shapeOf(each, ignore)));
    return [...new Set(shapes)].sort();
  }
  const fields = object.safeParse(value);
  if (!fields.success) return typeof value;
  return Object.fromEntries(
    Object.entries(fields.data)
      .filter(([key]) => !ignore.includes(key))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, shapeOf(each, ignore)]),
  );
}

/** A text deep in a reply: `textAt(json, "run", "info", "run_id")`. */
export function textAt(value: unknown, ...path: readonly (string | number)[]): string {
  let at: unknown = value;
  for (const step of path)
    at = typeof step === "number" ? (Array.isArray(at) ? at[step] : undefined) : object.safeParse(at).data?.[step];
  return typeof at === "string" || typeof at === "number" ? String(at) : "";
}
