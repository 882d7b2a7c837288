import type { TemplateManifest } from "./template-manifest.ts";

export interface BuiltIn {
  manifest: TemplateManifest;
  /** Digest of the whole template, as `readTemplate` gives it. */
  digest: string;
}

declare const FACTORY_TEMPLATES: Readonly<Record<string, BuiltIn>> | undefined;

/**
 * The built-in templates by the SHA-256 of their template.yaml, read and checked when the program was built: `new` then
 * starts without the YAML reader. One that was edited since is read like every other. Empty when the program runs from its sources.
 */
export const BUILT_IN: Readonly<Record<string, BuiltIn>> =
  typeof FACTORY_TEMPLATES === "undefined" ? {} : FACTORY_TEMPLATES;
