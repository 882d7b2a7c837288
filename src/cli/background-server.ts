import * as z from "zod";
import { MARK, type Style } from "./style.ts";

/** A port that a person chooses for a server of their own: none that only root may take. */
export const ownPort = z.coerce
  .number<unknown>("a whole number")
  .int("a whole number")
  .min(1024, "1024 or more")
  .max(65_535, "at most 65535")
  .optional();

/** The first line of a server's status: running is good, stopped is neither, all else is bad. */
export function stateLine({ state, message }: { state: string; message: string }, style: Style): string {
  const mark =
    state === "running" ? style.ok(MARK.pass) : state === "stopped" ? style.dim(MARK.skipped) : style.bad(MARK.fail);
  return `${mark} ${state}: ${message}`;
}
