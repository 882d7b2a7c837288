import { parse } from "yaml";

/** Why a folder cannot become a version: no MLmodel, or one without a signature for inputs and outputs (reference 4.2, finalize). */
export function checkModelFolder(files: ReadonlyMap<string, () => Buffer>): string | undefined {
  const bytes = files.get("MLmodel");
  if (bytes === undefined) return "The model version has no file MLmodel; it is no MLflow model.";
  let model: unknown;
  try {
    model = parse(bytes().toString("utf8"));
  } catch {
    return "The file MLmodel is no YAML.";
  }
  const signature = member(model, "signature");
  if (typeof signature !== "object" || signature === null)
    return "Model passed for registration did not contain any signature metadata.";
  for (const side of ["inputs", "outputs"]) {
    const columns = member(signature, side);
    if (typeof columns !== "string" || columns === "")
      return `Model passed for registration contained a signature that lacks ${side}.`;
  }
  return undefined;
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && name in value ? Reflect.get(value, name) : undefined;
}
