import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";

/** A request as it went to the real server; its body is not kept. */
export interface Passed {
  /** Counts from 1, over everything that was asked since the last `heal`. */
  n: number;
  method: string;
  url: string;
  /** `POST runs/create`, `PATCH logged-models/*`, `GET artifact`, `LIST artifacts`: without host, query and ids. */
  kind: string;
  /** Status that the real server gave; undefined while it has not answered, or when it was not asked. */
  status: number | undefined;
}

/**
 * What happens to a reply. `before`: the real server is never asked; `after`: it has acted; `late`: the harm is done first, and the
 * real server is asked when `release` is called, as by a proxy that lost patience and still passes the request on.
 * `reset` breaks the connection hard, `close` ends it without a reply, `cut` breaks it in the middle of the body, `broken` is half
 * of a JSON document with a right length, `html` a page with status 200, a number another status.
 */
export interface Fault {
  when: "before" | "after" | "late";
  what: "reset" | "close" | "cut" | "broken" | "html" | 500 | 502 | 503 | 504;
}

/** What a network and what stands in it do to calls; each stands for others that look the same to a client. */
export const FAULTS: readonly Fault[] = [
  ...(["reset", 500, 503, "html"] as const).map((what) => ({ when: "before" as const, what })),
  ...(["reset", "close", "broken", "html", 502, 504] as const).map((what) => ({
    when: "after" as const,
    what,
  })),
];

/** May be replaced between runs: the address stays, which a policy names. */
export interface Hooks {
  /** Before the real server is asked. */
  beforeRequest?(n: number, request: Passed): void | Promise<void>;
  /** When the real server has answered and acted, before the reply is passed on. */
  afterReply?(n: number, request: Passed): void | Promise<void>;
}

export interface LosingProxy {
  uri: string;
  seen: Passed[];
  /** How often each kind was asked. */
  counts(): Record<string, number>;
  /** The next requests of this kind, from the `nth` on and `times` of them, meet the fault. */
  break(kind: string | RegExp, fault: Fault, nth?: number, times?: number): void;
  /** Passes on what `late` faults held back, and waits until the real server has acted. */
  release(): Promise<void>;
  /** Whether every fault was met as often as it was asked for. */
  spent(): boolean;
  /** Takes back what was not met yet, forgets what was seen, and counts from 1 again. */
  heal(): void;
  stop(): Promise<void>;
}

interface Planned {
  kind: string | RegExp;
  fault: Fault;
  skip: number;
  left: number;
}

/** Stands between a client and a real server, passes everything on, and does what was planned to single replies. */
export async function losingProxy(target: string, hooks: Hooks = {}): Promise<LosingProxy> {
  const seen: Passed[] = [];
  let planned: Planned[] = [];
  let held: { incoming: IncomingMessage; sent: Buffer }[] = [];
  let asked = 0;
  const take = (kind: string): Fault | undefined => {
    for (const each of planned) {
      if (typeof each.kind === "string" ? each.kind !== kind : !each.kind.test(kind)) continue;
      if (each.skip > 0) each.skip--;
      else if (each.left > 0) {
        each.left--;
        return each.fault;
      }
    }
    return undefined;
  };
  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const method = incoming.method ?? "";
    const url = incoming.url ?? "";
    const passed: Passed = { n: ++asked, method, url, kind: kindOf(method, url), status: undefined };
    seen.push(passed);
    // Taken whole first: what a client has sent before it died is passed on, a half body is not.
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const sent = Buffer.concat(chunks);
    const fault = take(passed.kind);
    await hooks.beforeRequest?.(passed.n, passed);
    if (fault?.when === "before" || fault?.when === "late") {
      if (fault.when === "late") held.push({ incoming, sent });
      harm(response, fault, Buffer.from("{}"));
      return;
    }
    const { reply, body } = await ask(target, incoming, sent);
    passed.status = reply.statusCode;
    await hooks.afterReply?.(passed.n, passed);
    if (fault !== undefined) harm(response, fault, body);
    else response.writeHead(reply.statusCode ?? 502, withoutFraming(reply.headers, body)).end(body);
  };
  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the proxy has no address");
  return {
    uri: `http://127.0.0.1:${address.port}`,
    seen,
    counts() {
      const counts: Record<string, number> = {};
      for (const { kind } of seen) counts[kind] = (counts[kind] ?? 0) + 1;
      return counts;
    },
    break: (kind, fault, nth = 1, times = 1) => void planned.push({ kind, fault, skip: nth - 1, left: times }),
    async release() {
      const late = held;
      held = [];
      for (const { incoming, sent } of late) await ask(target, incoming, sent);
    },
    spent: () => planned.every((each) => each.left === 0),
    heal() {
      planned = [];
      held = [];
      seen.length = 0;
      asked = 0;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Sends a request on and takes the whole reply. */
function ask(
  target: string,
  { method = "GET", url = "/", headers }: IncomingMessage,
  sent: Buffer,
): Promise<{ reply: IncomingMessage; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const { "transfer-encoding": _, ...kept } = headers;
    const outgoing = forward(
      new URL(url, target),
      {
        method,
        headers: { ...kept, host: new URL(target).host, ...(sent.length > 0 && { "content-length": sent.length }) },
        agent: false,
      },
      (reply) => {
        const chunks: Buffer[] = [];
        reply.on("data", (chunk: Buffer) => chunks.push(chunk));
        reply.on("error", reject);
        reply.on("end", () => resolve({ reply, body: Buffer.concat(chunks) }));
      },
    );
    outgoing.on("error", reject);
    outgoing.end(sent);
  });
}

function harm(response: ServerResponse, { what }: Fault, body: Buffer): void {
  const json = { "content-type": "application/json" };
  switch (what) {
    case "reset":
      response.socket?.resetAndDestroy();
      return;
    case "close":
      response.socket?.destroy();
      return;
    case "cut":
      response.writeHead(200, { ...json, "content-length": body.length + 20 });
      response.write(body.subarray(0, Math.max(1, body.length - 1)), () => response.destroy());
      return;
    case "broken":
      response.writeHead(200, json).end('{"half": [');
      return;
    case "html":
      response.writeHead(200, { "content-type": "text/html" }).end("<html><body>Please sign in</body></html>");
      return;
    default:
      response.writeHead(what, { "content-type": "text/html" }).end(`<h1>${what}</h1>`);
  }
}

function withoutFraming(headers: IncomingMessage["headers"], body: Buffer): Record<string, string | string[] | number> {
  const kept = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || ["connection", "keep-alive", "transfer-encoding", "content-length"].includes(name)
      ? []
      : [[name, value] as const],
  );
  return { ...Object.fromEntries(kept), "content-length": body.length };
}

function kindOf(method: string, url: string): string {
  const path = url.split("?")[0] ?? "";
  if (path.endsWith("/mlflow-artifacts/artifacts")) return "LIST artifacts";
  if (path.includes("/mlflow-artifacts/")) return `${method} artifact`;
  const below = path.split("/mlflow/")[1] ?? path;
  return `${method} ${below.replace(/\/m-[^/]*/g, "/*")}`;
}
