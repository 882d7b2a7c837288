import { createServer, request as forward } from "node:http";

export interface ShiftingProxy {
  uri: string;
  /** From now on the server's clock is that far ahead of what it is; undefined: it does not tell the time. */
  shift(ms: number | undefined): void;
  stop(): Promise<void>;
}

/** Stands between a client and a real server and passes everything on; only the header Date says another time. */
export async function shiftingProxy(target: string): Promise<ShiftingProxy> {
  let shiftMs: number | undefined = 0;
  const server = createServer((incoming, response) => {
    response.sendDate = false;
    const outgoing = forward(
      new URL(incoming.url ?? "/", target),
      { method: incoming.method ?? "GET", headers: { ...incoming.headers, host: new URL(target).host }, agent: false },
      (reply) => {
        const { date: _, connection: __, "transfer-encoding": ___, ...headers } = reply.headers;
        const date = shiftMs === undefined ? {} : { date: new Date(Date.now() + shiftMs).toUTCString() };
        response.writeHead(reply.statusCode ?? 502, { ...headers, ...date });
        reply.pipe(response);
      },
    );
    outgoing.on("error", () => response.destroy());
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the proxy has no address");
  return {
    uri: `http://127.0.0.1:${address.port}`,
    shift: (ms) => {
      shiftMs = ms;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
