import { randomBytes } from "node:crypto";
import * as z from "zod";
import { createAcl, demandLevel, entryOf, hasLevel } from "../acl.ts";
import { type Ask, badValue, bodyOf, denied, notFound, ok, queryOf, type Route } from "../route.ts";
import { defineSection, type State } from "../state.ts";

export interface Warehouse {
  id: string;
  name: string;
  cluster_size: string;
  creator_name: string;
  auto_stop_mins: number;
  state: "RUNNING" | "STOPPED" | "STARTING" | "STOPPING";
  /** When the state began, and how often it was read since. */
  since: number;
  polls: number;
}

export const warehouses = defineSection("warehouses", () => ({
  warehouses: new Map<string, Warehouse>(),
  /** Settings that tests change: reads and milliseconds that STARTING and STOPPING take at least. */
  settings: { polls: 1, ms: 0 },
}));

/** A warehouse for tests and for whoever sets a workspace up: running, and everybody's to use unless told otherwise. */
export function addWarehouse(
  state: State,
  options: { id?: string; name?: string; state?: Warehouse["state"]; users?: readonly string[] },
  now: number = Date.now(),
): Warehouse {
  const warehouse: Warehouse = {
    id: options.id ?? randomBytes(8).toString("hex"),
    name: options.name ?? "Starter Warehouse",
    cluster_size: "2X-Small",
    creator_name: "admin@example.com",
    auto_stop_mins: 10,
    state: options.state ?? "RUNNING",
    since: now,
    polls: 0,
  };
  warehouses.of(state).warehouses.set(warehouse.id, warehouse);
  const users = options.users ?? ["users"];
  createAcl(
    state,
    "warehouses",
    warehouse.id,
    { kind: "user_name", name: "admin@example.com", level: "IS_OWNER" },
    users.map((name) => ({
      kind: name.includes("@") ? "user_name" : name === "users" ? "group_name" : "service_principal_name",
      name,
      level: "CAN_USE",
    })),
  );
  return warehouse;
}

/** STARTING and STOPPING end after some reads and some time. */
export function settleWarehouse(state: State, warehouse: Warehouse, now: number): void {
  const { settings } = warehouses.of(state);
  if (warehouse.state !== "STARTING" && warehouse.state !== "STOPPING") return;
  if (warehouse.polls++ < settings.polls || now - warehouse.since < settings.ms) return;
  enter(warehouse, warehouse.state === "STARTING" ? "RUNNING" : "STOPPED", now);
}

export function enter(warehouse: Warehouse, next: Warehouse["state"], now: number): void {
  warehouse.state = next;
  warehouse.since = now;
  warehouse.polls = 0;
}

function shown(ask: Ask, each: Warehouse): object {
  return {
    id: each.id,
    name: each.name,
    cluster_size: each.cluster_size,
    creator_name: each.creator_name,
    auto_stop_mins: each.auto_stop_mins,
    state: each.state,
    warehouse_type: "PRO",
    enable_serverless_compute: true,
    num_clusters: each.state === "RUNNING" ? 1 : 0,
    odbc_params: {
      hostname: new URL(ask.url).hostname,
      path: `/sql/1.0/warehouses/${each.id}`,
      protocol: "https",
      port: Number(new URL(ask.url).port || "443"),
    },
  };
}

function found(ask: Ask, level: "CAN_VIEW" | "CAN_USE" | "CAN_MANAGE"): Warehouse {
  const id = ask.params.id ?? "";
  const warehouse = warehouses.of(ask.state).warehouses.get(id);
  if (warehouse === undefined) throw notFound(`SQL warehouse ${id} does not exist.`);
  demandLevel(ask, "warehouses", id, level, `SQL warehouse ${id}`);
  return warehouse;
}

const P = "/api/2.0/sql/warehouses";
const CITES = "reference 6.8 Warehouse: state RUNNING, STARTING, STOPPED; driven by databricks-sdk warehouses";

export const warehouseRoutes: readonly Route[] = [
  {
    method: "GET",
    path: P,
    cites: `${CITES}.list`,
    handle(ask) {
      queryOf(
        ask,
        z.strictObject({
          page_size: z.string().optional(),
          page_token: z.string().optional(),
          run_as_user_id: z.string().optional(),
        }),
      );
      const all = [...warehouses.of(ask.state).warehouses.values()].filter((each) =>
        hasLevel(ask.state, "warehouses", each.id, ask.principal, "CAN_VIEW"),
      );
      for (const each of all) settleWarehouse(ask.state, each, ask.now());
      return ok({ warehouses: all.map((each) => shown(ask, each)) });
    },
  },
  {
    method: "GET",
    path: `${P}/:id`,
    cites: `${CITES}.get`,
    handle(ask) {
      const warehouse = found(ask, "CAN_VIEW");
      settleWarehouse(ask.state, warehouse, ask.now());
      return ok(shown(ask, warehouse));
    },
  },
  {
    method: "POST",
    path: P,
    cites: `${CITES}.create`,
    handle(ask) {
      if (!ask.principal.admin) throw denied("You do not have permission to create SQL warehouses.");
      const body = bodyOf(ask, z.looseObject({ name: z.string().optional(), auto_stop_mins: z.int().optional() }));
      if (body.name === undefined || body.name === "") throw badValue("Missing value for required parameter 'name'.");
      const made = addWarehouse(ask.state, { name: body.name, state: "STARTING", users: [] }, ask.now());
      createAcl(ask.state, "warehouses", made.id, entryOf(ask.principal, "IS_OWNER"));
      return ok({ id: made.id });
    },
  },
  ...(["start", "stop"] as const).map(
    (verb): Route => ({
      method: "POST",
      path: `${P}/:id/${verb}`,
      cites: `${CITES}.${verb}`,
      handle(ask) {
        const warehouse = found(ask, verb === "start" ? "CAN_USE" : "CAN_MANAGE");
        if (verb === "start" && warehouse.state !== "RUNNING") enter(warehouse, "STARTING", ask.now());
        if (verb === "stop" && warehouse.state !== "STOPPED") enter(warehouse, "STOPPING", ask.now());
        return ok();
      },
    }),
  ),
];
