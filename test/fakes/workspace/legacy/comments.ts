import { randomUUID } from "node:crypto";
import * as z from "zod";
import { type Ask, bodyOf, denied, inputOf, notFound, ok, type Route } from "../route.ts";
import { needed } from "../shapes.ts";
import { type Comment, legacy, legacyRoute, P, record, versionNamed } from "./store.ts";
import { versionRef } from "./versions.ts";

const SDK = "driven by databricks-sdk model_registry";

const routes: readonly Route[] = [
  {
    method: "POST",
    path: `${P}/comments/create`,
    cites: `reference 3.1 comments/create; ${SDK}`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ ...versionRef, comment: z.string().optional() }));
      const { model, version } = versionNamed(ask, body, "CAN_READ");
      const comment: Comment = {
        id: randomUUID(),
        name: model.name,
        version: version.version,
        user_id: ask.principal.name,
        comment: needed(body.comment, "comment"),
        creation_timestamp: ask.now(),
        last_updated_timestamp: ask.now(),
      };
      legacy.of(ask.state).comments.set(comment.id, comment);
      record(ask, {
        activity_type: "NEW_COMMENT",
        name: model.name,
        version: version.version,
        comment: comment.comment,
      });
      return ok({ comment: shownComment(ask, comment) });
    },
  },
  {
    method: "PATCH",
    path: `${P}/comments/update`,
    cites: `reference 3.1 comments/update; ${SDK}`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ id: z.string(), comment: z.string() }));
      const comment = ownComment(ask, body.id);
      comment.comment = body.comment;
      comment.last_updated_timestamp = ask.now();
      return ok({ comment: shownComment(ask, comment) });
    },
  },
  {
    method: "DELETE",
    path: `${P}/comments/delete`,
    cites: `reference 3.1 comments/delete; ${SDK}`,
    handle(ask) {
      legacy.of(ask.state).comments.delete(ownComment(ask, inputOf(ask, z.strictObject({ id: z.string() })).id).id);
      return ok();
    },
  },
];

const shownComment = (ask: Ask, { name: _, version: __, ...rest }: Comment): object => ({
  ...rest,
  available_actions: rest.user_id === ask.principal.name ? ["EDIT_COMMENT", "DELETE_COMMENT"] : [],
});

function ownComment(ask: Ask, id: string): Comment {
  const comment = legacy.of(ask.state).comments.get(id);
  if (comment === undefined) throw notFound(`Comment ${id} not found.`);
  if (comment.user_id !== ask.principal.name) throw denied("Only the author of a comment may change it.");
  return comment;
}

export const commentRoutes: readonly Route[] = routes.map(legacyRoute);
