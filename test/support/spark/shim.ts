import { Agent, request as askHttp, type IncomingMessage, type ServerResponse } from "node:http";
import { request as askHttps, createServer } from "node:https";
import { setTimeout as pause } from "node:timers/promises";
import { type Certificates, makeCertificates } from "./certificates.ts";
import {
  failedWithoutReason,
  operationState,
  questionBeforeCancel,
  refusedWith,
  statementIn,
  toDriver,
  toServer,
} from "./translate.ts";

/** Answers between the driver and its server are waited for here, since the driver itself looks only every 100 ms. */
const AT_WORK = 1;
const RUNNING = [0, AT_WORK, 7];
const STATES = ["initialized", "running", "finished", "cancelled", "closed", "failed", "unknown", "pending"];
const HOLD_MS = 2000;

/** What the warehouse behind a shim says about itself; a test may change it at any time. */
export interface WarehouseState {
  id: string;
  /** One is taken off at each question; the last one stays. */
  states: string[];
}

export interface ShimOptions {
  folder: string;
  /** Of the Spark server. */
  sparkPort: number;
  token: string;
  warehouse: WarehouseState;
  user: string;
  /** Address of a fake workspace that answers everything that is not SQL, and judges who asks for it. */
  workspaceUrl?: string | undefined;
  /** Of a workspace that speaks https, so that one authority is enough. Default: its own. */
  certificates?: Certificates | undefined;
}

export interface Shim {
  port: number;
  caFile: string;
  /** Texts of the statements, in the order of their arrival. */
  statements: string[];
  /** `METHOD path` of every request. */
  requests: string[];
  /** How many statements had come when the server last said that one is at work. */
  running: number;
  /** How the server says it stood with each statement that was cancelled, before and after. */
  cancelled: { before: string; after: string }[];
  fault: Fault | undefined;
  /** Cuts every connection. */
  cut(): void;
  stop(): Promise<void>;
}

/**
 * What is done with the next statements. `request`: they do not reach the server; `reply`: it did them, and its answer gets lost;
 * `server`: it refuses them in these words, with the statement itself behind them; `page`: a 400 whose body and headers say that.
 */
export type Fault = { matches: RegExp; times: number } & (
  | { at: "request" | "reply" }
  | { at: "server" | "page"; says: string }
);

/** A workspace's https address with a warehouse in it, which is a Spark Thrift server. */
export async function startShim(options: ShimOptions): Promise<Shim> {
  const { caFile, ca, key, cert } = options.certificates ?? makeCertificates(options.folder);
  const agent = new Agent({ keepAlive: true });
  const sql = `/sql/1.0/warehouses/${options.warehouse.id}`;
  const server = createServer({ key, cert }, (incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      answer(incoming, Buffer.concat(chunks), response).catch(() => response.destroy());
    });
  });
  const shim: Shim = {
    port: 0,
    caFile,
    statements: [],
    requests: [],
    running: 0,
    cancelled: [],
    fault: undefined,
    cut: () => server.closeAllConnections(),
    stop: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  const answer = async (incoming: IncomingMessage, body: Buffer, response: ServerResponse): Promise<void> => {
    const path = (incoming.url ?? "").split("?")[0] ?? "";
    shim.requests.push(`${incoming.method} ${path}`);
    const isSql = path === sql || path.startsWith("/api/2.0/sql/warehouses/");
    if (options.workspaceUrl !== undefined && !isSql) await passOn(options.workspaceUrl, ca, incoming, body, response);
    else if (incoming.headers.authorization !== `Bearer ${options.token}`) {
      response.writeHead(401, { "content-type": "application/json" });
      response.end(
        '{"error_code":"UNAUTHENTICATED","message":"Credential was not sent or was of an unsupported type"}',
      );
    } else if (path === sql && incoming.method === "POST") await thrift(body, response);
    else rest(`${incoming.method} ${path}`, options, response);
  };
  const thrift = async (body: Buffer, response: ServerResponse): Promise<void> => {
    const text = statementIn(body);
    if (text !== undefined) shim.statements.push(text);
    const fault =
      shim.fault !== undefined && text !== undefined && shim.fault.matches.test(text) ? shim.fault : undefined;
    if (fault !== undefined && --fault.times <= 0) shim.fault = undefined;
    if (fault?.at === "request") throw new Error("cut before");
    if (fault?.at === "page") {
      const says = `${fault.says} ${text}`;
      response.writeHead(400, { "content-type": "application/json", "x-thriftserver-error-message": oneLine(says) });
      response.end(JSON.stringify({ error_code: "BAD_REQUEST", message: says }));
      return;
    }
    const request = fault?.at === "server" ? refusedWith(body, `${fault.says} ${text}`) : toServer(body);
    const until = Date.now() + HOLD_MS;
    const question = questionBeforeCancel(body);
    const standing = async (): Promise<string> => {
      const told = question === undefined ? undefined : await post(agent, options.sparkPort, question);
      return STATES[operationState(told?.body ?? body) ?? -1] ?? "nothing";
    };
    const before = await standing();
    let reply = await post(agent, options.sparkPort, request);
    if (question !== undefined) shim.cancelled.push({ before, after: await standing() });
    const unfinished = (answer: Buffer): boolean =>
      RUNNING.includes(operationState(answer) ?? -1)
        ? Date.now() < until
        : failedWithoutReason(answer) && Date.now() < until + HOLD_MS;
    for (let wait = 2; unfinished(reply.body); wait = Math.min(25, wait * 2)) {
      if (operationState(reply.body) === AT_WORK) shim.running = shim.statements.length;
      await pause(wait);
      reply = await post(agent, options.sparkPort, request);
    }
    if (fault?.at === "reply") {
      // Only its effect stays; its answer gets lost.
      await pause(3000);
      throw new Error("cut after");
    }
    response.writeHead(reply.status, { "content-type": "application/x-thrift" });
    response.end(reply.status === 200 ? toDriver(reply.body) : reply.body);
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the shim has no address");
  shim.port = address.port;
  return shim;
}

/** A header holds no line end, and no letter beyond Latin-1. */
function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, " ");
}

/** The few calls of a workspace that are asked for before and beside SQL. */
function rest(call: string, { warehouse, user }: ShimOptions, response: ServerResponse): void {
  const json = (status: number, body: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  const at = `/api/2.0/sql/warehouses/${warehouse.id}`;
  if (call === `GET ${at}`) {
    const [state = "RUNNING"] = warehouse.states;
    if (warehouse.states.length > 1) warehouse.states.shift();
    json(200, { id: warehouse.id, name: "tests", state, cluster_size: "2X-Small" });
  } else if (call === `POST ${at}/start`) {
    if (warehouse.states[0] === "STOPPED") warehouse.states.shift();
    json(200, {});
  } else if (call === "GET /api/2.0/preview/scim/v2/Me")
    json(200, { id: "1", userName: user, active: true, emails: [{ value: user, primary: true }] });
  else if (call.startsWith("GET /api/2.0/sql/warehouses/"))
    json(404, { error_code: "RESOURCE_DOES_NOT_EXIST", message: "SQL warehouse does not exist" });
  else json(501, { error_code: "NOT_IMPLEMENTED", message: `${call} is not played here` });
}

async function passOn(
  base: string,
  ca: string,
  incoming: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): Promise<void> {
  const { host, hostname, port, protocol } = new URL(base);
  const send = protocol === "https:" ? askHttps : askHttp;
  await new Promise<void>((resolve, reject) => {
    const headers = { ...incoming.headers, host };
    const ask = send({ hostname, port, method: incoming.method, path: incoming.url, headers, ca }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(response).on("finish", resolve);
      reply.on("error", reject);
    });
    ask.on("error", reject);
    ask.end(body);
  });
}

function post(agent: Agent, port: number, body: Buffer): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = {
      // The server takes any name; without one it refuses.
      authorization: `Basic ${Buffer.from("factory:x").toString("base64")}`,
      "content-type": "application/x-thrift",
      "content-length": body.length,
    };
    const ask = askHttp({ host: "127.0.0.1", port, method: "POST", path: "/cliservice", agent, headers }, (reply) => {
      const chunks: Buffer[] = [];
      reply.on("data", (chunk: Buffer) => chunks.push(chunk));
      reply.on("end", () => resolve({ status: reply.statusCode ?? 502, body: Buffer.concat(chunks) }));
      reply.on("error", reject);
    });
    ask.on("error", reject);
    ask.end(body);
  });
}
