import type { Usage } from "./command.ts";

declare const FACTORY_USAGES: Readonly<Record<string, Usage>> | undefined;

/**
 * The usage of every command by name, kept by the build: help and wrong flags are answered without loading the command.
 * Empty when the program runs from its sources.
 */
export const USAGES: Readonly<Record<string, Usage>> = typeof FACTORY_USAGES === "undefined" ? {} : FACTORY_USAGES;
