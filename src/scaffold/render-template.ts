import { Liquid, LiquidError, TokenizationError } from "liquidjs";
import { messageOf, usageError } from "../lib/error.ts";
import { checkCollisions, checkName, checkPath } from "./check-paths.ts";
import { parseLiquid } from "./parse-liquid.ts";
import { MAX_BYTES, type Template, type TemplateFile } from "./read-template.ts";

/** A template has no business with more: its files are a few kilobytes each. */
const LIMITS = { renderLimit: 1000, memoryLimit: 50_000_000 } as const;
const LONGEST = 10_000_000;
const SUFFIX = ".liquid";

export interface RenderedFile {
  /** Path inside the project, `/` between names. */
  path: string;
  bytes: Uint8Array;
  executable: boolean;
}

/**
 * All files of a template, rendered in memory and checked: names are legal everywhere, nothing collides, nothing
 * stands in `.factory/` or `.git/`, 100 MB at most. A template reads no file and runs no code. Throws usage errors
 * with the template's file, line and column.
 */
export function renderTemplate(template: Template, variables: Readonly<Record<string, unknown>>): RenderedFile[] {
  const liquid = makeEngine();
  const scope: Record<string, unknown> = Object.assign(Object.create(null), variables);
  const sources: { path: string; source: string }[] = [];
  const names = new Map<string, string>();
  let bytes = 0;
  const rendered = template.files.map((file): RenderedFile => {
    const path = file.path
      .split("/")
      .map((segment, at, all) => {
        // Folders are met once for each file in them.
        const key = all.slice(0, at + 1).join("/");
        const name = names.get(key) ?? renderName(liquid, segment, file.path, scope);
        names.set(key, name);
        return name;
      })
      .join("/");
    checkPath(path, file.path);
    sources.push({ path, source: file.path });
    const content = file.path.endsWith(SUFFIX)
      ? Buffer.from(renderText(liquid, textOf(file), file.path, scope))
      : file.bytes;
    bytes += content.byteLength;
    if (bytes > MAX_BYTES)
      throw usageError(
        "render.too-large",
        `the rendered project is larger than ${MAX_BYTES / 1e6} MB (at ${file.path})`,
      );
    return { path, bytes: content, executable: file.executable };
  });
  checkCollisions(sources);
  return rendered;
}

function renderName(liquid: Liquid, segment: string, source: string, scope: object): string {
  const name = segment.endsWith(SUFFIX) ? renderText(liquid, segment.slice(0, -SUFFIX.length), source, scope) : segment;
  checkName(name, source);
  return name;
}

function textOf(file: TemplateFile): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(file.bytes);
  } catch {
    throw usageError(
      "template.encoding",
      `template file ${file.path} ends in ${SUFFIX} but is not UTF-8 text`,
      "drop the suffix: the file is then copied byte for byte",
    );
  }
}

function renderText(liquid: Liquid, text: string, source: string, scope: object): string {
  if (!text.includes("{{") && !text.includes("{%")) return text;
  if (text.length > LONGEST)
    throw usageError(
      "template.length",
      `template file ${source} has tags and is longer than ${LONGEST / 1e6} million characters`,
      `drop the suffix ${SUFFIX}: the file is then copied byte for byte`,
    );
  try {
    const out: unknown = liquid.renderSync(parseLiquid(liquid, text), scope);
    return String(out);
  } catch (error) {
    throw located(error, source);
  }
}

/** Strict in every respect, with nothing to read from; the tags that would read files say so instead of looking. */
function makeEngine(): Liquid {
  const liquid = new Liquid({
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    templates: {},
    // Said here, so that the result is the same everywhere; asking the system for its locale takes 13 ms.
    locale: "en-US",
    timezoneOffset: 0,
    ...LIMITS,
  });
  for (const tag of ["include", "render", "layout"]) {
    liquid.registerTag(tag, {
      parse() {
        throw new Error(`the tag ${JSON.stringify(tag)} reads another file, which a template may not`);
      },
      render() {},
    });
  }
  return liquid;
}

function located(error: unknown, source: string): Error {
  if (!(error instanceof LiquidError))
    return usageError("template.render", `template file ${source}: ${messageOf(error)}`);
  const [line = 1, column = 1] = error.token.getPosition();
  const why = (error.originalError?.message ?? error.message).replace(/(?:, (?:file|line|col):[^,]*)+$/, "");
  const code =
    error instanceof TokenizationError
      ? "template.syntax"
      : (CODES.find(([shape]) => shape.test(why))?.[1] ?? "template.render");
  return usageError(code, `template file ${source}, line ${line}, column ${column}: ${why}`, undefined, [
    { message: why, file: source, line },
  ]);
}

const CODES: readonly (readonly [RegExp, string])[] = [
  [/^undefined variable/, "template.variable"],
  [/^undefined filter/, "template.filter"],
  [/reads another file/, "template.include"],
  [/^template render limit/, "template.time"],
  [/^memory alloc limit/, "template.memory"],
  [/^tag .* not (?:closed|found)/, "template.syntax"],
];
