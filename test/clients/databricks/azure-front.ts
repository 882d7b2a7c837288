import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { TLSSocket } from "node:tls";
import { setUpHttp } from "../../../src/lib/http-settings.ts";
import type { FakeWorkspace } from "../../fakes/workspace/server.ts";
import { makeCertificates } from "../../support/spark/certificates.ts";

export const AZURE_HOST = "https://adb-7405600000000001.1.azuredatabricks.net";
const LOGIN = "login.microsoftonline.com";

export interface AzureFront {
  /** Every request that came through, oldest first. */
  seen: { host: string; path: string; headers: IncomingMessage["headers"]; body: string }[];
  /** How a program reaches it: a proxy and the authority that it trusts. */
  variables: Record<string, string>;
  stop(): Promise<void>;
}

/** The addresses of Azure, over TLS and through a proxy, with the fake workspace behind them. */
export async function azureFront(fake: FakeWorkspace, folder: string): Promise<AzureFront> {
  const { caFile, key, cert } = makeCertificates(folder, [new URL(AZURE_HOST).hostname, LOGIN]);
  const seen: AzureFront["seen"] = [];
  const inside = createServer((from, to) => {
    const chunks: Buffer[] = [];
    from.on("data", (chunk: Buffer) => chunks.push(chunk));
    from.on("end", () => {
      const { host = "" } = from.headers;
      const body = Buffer.concat(chunks);
      seen.push({ host, path: from.url ?? "", headers: from.headers, body: body.toString() });
      pass(from, to, `${fake.url}${host === LOGIN ? "/_azure" : ""}${from.url}`, body);
    });
  });
  const sockets = new Set<TLSSocket>();
  const proxy = createServer();
  proxy.on("connect", (_, socket) => {
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    const secure = new TLSSocket(socket, { isServer: true, key, cert });
    sockets.add(secure);
    secure.on("error", () => {});
    socket.on("error", () => {});
    inside.emit("connection", secure);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const variables = { HTTPS_PROXY: `http://127.0.0.1:${port}`, SSL_CERT_FILE: caFile };
  setUpHttp({ variables });
  return {
    seen,
    variables,
    async stop() {
      setUpHttp({ variables: {} });
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

function pass(from: IncomingMessage, to: ServerResponse, url: string, body: Buffer): void {
  const { host: _, ...headers } = from.headers;
  const on = request(url, { method: from.method, headers }, (reply) => {
    to.writeHead(reply.statusCode ?? 502, reply.headers);
    reply.pipe(to);
  });
  on.on("error", () => to.destroy());
  on.end(body);
}
