import type { IncomingMessage, ServerResponse } from "node:http";
import * as z from "zod";
import type { Exchange } from "./exchange.ts";
import { send } from "./send.ts";

const faultSchema = z.strictObject({
  kind: z.enum(["status", "reset", "html", "truncate", "slow", "hang", "expire", "stale"]),
  when: z.enum(["before", "after"]).exactOptional(),
  status: z.int().min(200).max(599).exactOptional(),
  retryAfter: z.union([z.number(), z.string()]).exactOptional(),
  errorCode: z.string().exactOptional(),
  message: z.string().exactOptional(),
  cut: z.enum(["body", "connection"]).exactOptional(),
  delayMs: z.number().min(0).exactOptional(),
  pieces: z.int().min(1).exactOptional(),
  reads: z.int().min(0).exactOptional(),
  readRoute: z.string().exactOptional(),
  route: z.string().exactOptional(),
  method: z.string().exactOptional(),
  path: z.string().exactOptional(),
  principal: z.string().exactOptional(),
  nth: z.int().min(1).exactOptional(),
  times: z.int().min(0).exactOptional(),
  chance: z.number().min(0).max(1).exactOptional(),
});

/** What is asked of the fake itself, not of the workspace: faults and the log. It needs no token, and listens on this machine only. */
export async function control(world: Exchange, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request) if (Buffer.isBuffer(piece)) pieces.push(piece);
  const reply = (status: number, body: object): Promise<void> => send(response, { status, body }, {}, undefined);
  switch (`${request.method} ${request.url?.split("?", 1)[0]}`) {
    case "GET /_sandbox/faults":
      return reply(200, { faults: world.faults.list().map(({ clear: _, ...each }) => each) });
    case "POST /_sandbox/faults": {
      const fault = faultSchema.safeParse(jsonOf(Buffer.concat(pieces)));
      if (!fault.success) return reply(400, { message: z.prettifyError(fault.error) });
      return reply(200, { id: world.faults.add(fault.data).id });
    }
    case "DELETE /_sandbox/faults":
      world.faults.clear();
      return reply(200, {});
    case "GET /_sandbox/log":
      return reply(200, { log: world.log });
    case "GET /_sandbox/about":
      return reply(200, { rehearsal: true, url: world.url, orgId: world.orgId, identity: world.identity });
    default:
      return reply(404, { message: `no ${request.method} ${request.url}` });
  }
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}
