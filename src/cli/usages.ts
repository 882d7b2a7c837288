import type { Usage } from "./command.ts";

/**
 * The usage of every command by name: help and wrong flags are answered without loading the command. The build puts it in
 * the place of this module; when the program runs from its sources there is none.
 */
export const USAGES: Readonly<Record<string, Usage>> = {};
