import type { TemplateManifest } from "./template-manifest.ts";

export interface BuiltIn {
  manifest: TemplateManifest;
  /** Digest of the whole template, as `readTemplate` gives it. */
  digest: string;
}

/**
 * The built-in templates by the SHA-256 of their template.yaml, read and checked when the program was built: `new` then
 * starts without the YAML reader. One that was edited since is read like every other. The build puts them in the place of
 * this module; when the program runs from its sources there are none.
 */
export const BUILT_IN: Readonly<Record<string, BuiltIn>> = {};
