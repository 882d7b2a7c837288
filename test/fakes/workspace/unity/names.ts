import { badValue } from "../route.ts";

/** What the vendor's page "Apply tags to Unity Catalog securable objects" lists under constraints. */
const TAG = { count: 50, key: 255, value: 1000, banned: /[.,\-=/:]/ };

/** Lower-cased, as Unity Catalog keeps names. */
export function objectName(text: string): string {
  const name = text.toLowerCase();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what may not be in a name
  if (name === "" || name.length > 255 || /[.\s/\u0000-\u001f\u007f]/.test(name))
    throw badValue(
      `Invalid name '${text}': a name is 1 to 255 characters without period, space, slash or control character.`,
    );
  return name;
}

/** `catalog.schema.name`, lower-cased. The words are those that MLflow's client looks for. */
export function threeParts(text: string): string {
  const parts = text.split(".");
  if (parts.length !== 3 || parts.some((part) => part === ""))
    throw badValue(
      `'${text}' is not a valid name for a registered model. Please specify all three levels (catalog.schema.model).`,
    );
  return parts.map(objectName).join(".");
}

export function checkTags(present: ReadonlyMap<string, string>, tags: readonly { key: string; value: string }[]): void {
  for (const { key, value } of tags) {
    if (key === "" || key.length > TAG.key || TAG.banned.test(key))
      throw badValue(`Tag key '${key}' is not valid: 1 to ${TAG.key} characters, none of . , - = / :`);
    if (key !== key.trim() || value !== value.trim())
      throw badValue(`Tag '${key}' has spaces at an end of its key or value, which is not allowed.`);
    if (value.length > TAG.value) throw badValue(`The value of tag '${key}' is longer than ${TAG.value} characters.`);
  }
  if (new Set([...present.keys(), ...tags.map((each) => each.key)]).size > TAG.count)
    throw badValue(`An object can have at most ${TAG.count} tags.`);
}

export function checkAlias(alias: string): void {
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(alias)) throw badValue(`Invalid alias name: '${alias}'.`);
  if (/^(?:latest|v\d+)$/i.test(alias)) throw badValue(`'${alias}' alias name is reserved.`);
}
