import type { Route } from "./route.ts";

export interface Match {
  route: Route;
  params: Record<string, string>;
}

/** Finds the route of a request: literal segments win over `:name`, and those over `*rest`. */
export class Router {
  private readonly routes: readonly { route: Route; segments: readonly string[] }[];

  constructor(routes: readonly Route[]) {
    const seen = new Set<string>();
    for (const { method, path } of routes) {
      const key = `${method} ${shape(path)}`;
      if (seen.has(key)) throw new Error(`two routes for ${key}`);
      seen.add(key);
    }
    this.routes = routes
      .map((route) => ({ route, segments: split(route.path) }))
      .sort((a, b) => (weight(a.segments) < weight(b.segments) ? -1 : 1));
  }

  /** The route, or which methods that path has (none: the path is unknown). */
  find(method: string, path: string): Match | { allowed: string[] } {
    const asked = split(path);
    const allowed: string[] = [];
    for (const { route, segments } of this.routes) {
      const params = paramsOf(segments, asked);
      if (params === undefined) continue;
      if (route.method === method) return { route, params };
      allowed.push(route.method);
    }
    return { allowed };
  }
}

/** `GET /api/2.0/fs/files/*path`: how the log, the faults and the lists name a route. */
export const nameOf = (route: Route): string => `${route.method} ${route.path}`;

const split = (path: string): string[] => path.replace(/^\//, "").split("/");
const shape = (path: string): string => path.replace(/\/:[^/]+/g, "/:").replace(/\/\*.+$/, "/*");
const weight = (segments: readonly string[]): string =>
  segments.map((each) => (each.startsWith("*") ? "2" : each.startsWith(":") ? "1" : "0")).join("");

function paramsOf(segments: readonly string[], asked: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [i, segment] of segments.entries()) {
    if (segment.startsWith("*")) {
      const rest = asked.slice(i).map(decoded);
      if (rest.length === 0) return undefined;
      params[segment.slice(1)] = rest.join("/");
      return params;
    }
    const part = asked[i];
    if (part === undefined) return undefined;
    if (segment.startsWith(":")) {
      if (part === "") return undefined;
      params[segment.slice(1)] = decoded(part);
    } else if (segment !== part) return undefined;
  }
  return segments.length === asked.length ? params : undefined;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
