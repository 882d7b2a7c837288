import * as z from "zod";
import type { WorkspaceSight } from "../../doctor/workspace-sight.ts";
import type { Workspace } from "./workspace.ts";

const me = z.object({
  userName: z.string(),
  displayName: z.string().optional(),
  groups: z.array(z.object({ display: z.string().optional(), value: z.string().optional() })).default([]),
});

/** What the doctor asks a workspace. */
export function workspaceSight(workspace: Workspace): WorkspaceSight {
  return {
    host: workspace.host,
    credential: workspace.credential,
    async me() {
      const { userName, displayName, groups } = await workspace.demand(
        { method: "GET", path: "/api/2.0/preview/scim/v2/Me" },
        me,
      );
      return { name: userName, displayName, groups: groups.map(({ display, value }) => display ?? value ?? "") };
    },
  };
}
