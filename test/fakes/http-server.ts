import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export interface FakeServer {
  uri: string;
  seen: Seen[];
  stop(): Promise<void>;
}

/** What a fake does with one request: answer it, or break the connection (`response.destroy()`), before or after acting. */
export type Answer = (request: Seen, response: ServerResponse, count: number) => void;

/** A small HTTP server that remembers what it was asked; `count` starts at 1. */
export async function fakeServer(answer: Answer): Promise<FakeServer> {
  const seen: Seen[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const request = {
        method: incoming.method ?? "",
        url: incoming.url ?? "",
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString("utf8"),
      };
      seen.push(request);
      answer(request, response, seen.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the fake server has no address");
  return {
    uri: `http://127.0.0.1:${address.port}`,
    seen,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}
