const TYPES: Readonly<Record<string, string>> = {
  xml: "application/xml",
  json: "application/json",
  yaml: "application/yaml",
  yml: "application/yaml",
  md: "text/markdown",
  txt: "text/plain",
  csv: "text/csv",
  html: "text/html",
  pdf: "application/pdf",
  png: "image/png",
  svg: "image/svg+xml",
  whl: "application/zip",
  zip: "application/zip",
};

export const STATEMENT_MEDIA_TYPE = "application/vnd.in-toto+json";

/** The media type by the end of a file's name. */
export function mediaTypeOf(path: string): string {
  return TYPES[/\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase() ?? ""] ?? "application/octet-stream";
}
