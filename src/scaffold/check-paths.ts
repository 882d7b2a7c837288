import { type FactoryError, usageError } from "../lib/error.ts";

/** Bytes of one name that every common file system takes, and of a path that still fits below a user's folder. */
const NAME_BYTES = 255;
const PATH_BYTES = 700;

const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])$/i;
// Format characters that do not show: a name with them is not the name that a reader sees.
const INVISIBLE = /[\p{Cf}\u2028\u2029\u115f\u1160\u3164]/u;

interface Rule {
  code: string;
  breaks(name: string): boolean;
  why: string;
}

/** One rule each, in the order in which they are tried; the first that a name breaks is the one that is told. */
const RULES: readonly Rule[] = [
  { code: "path.empty", breaks: (name) => name === "", why: "is empty" },
  {
    code: "path.unicode",
    breaks: (name) => !name.isWellFormed() || name.includes("\ufffd"),
    why: "is not valid Unicode",
  },
  { code: "path.nul", breaks: (name) => name.includes("\0"), why: "contains a NUL character" },
  { code: "path.control", breaks: (name) => /\p{Cc}/u.test(name), why: "contains a control character" },
  { code: "path.unc", breaks: (name) => /^(?:\\\\|\/\/)/.test(name), why: "is a network (UNC) path" },
  { code: "path.drive", breaks: (name) => /^[a-z]:/i.test(name), why: "starts with a drive letter" },
  { code: "path.absolute", breaks: (name) => name.startsWith("/"), why: "is an absolute path" },
  { code: "path.parent", breaks: (name) => name.split(/[\\/]/).includes(".."), why: "climbs out of its folder (..)" },
  { code: "path.slash", breaks: (name) => name.includes("/"), why: "contains a slash: one name is one file or folder" },
  { code: "path.backslash", breaks: (name) => name.includes("\\"), why: "contains a backslash" },
  { code: "path.dot", breaks: (name) => name === ".", why: "is the folder itself (.)" },
  { code: "path.git", breaks: isGitFolder, why: "is git's own folder on some file system" },
  { code: "path.invisible", breaks: (name) => INVISIBLE.test(name), why: "contains characters that do not show" },
  {
    code: "path.character",
    breaks: (name) => /[<>:"|?*]/.test(name),
    why: 'contains one of < > : " | ? *, which Windows does not allow',
  },
  { code: "path.trailing-dot", breaks: (name) => name.endsWith("."), why: "ends with a dot, which Windows drops" },
  { code: "path.space", breaks: (name) => /^\s|\s$/u.test(name), why: "starts or ends with a space" },
  {
    code: "path.reserved",
    breaks: (name) => RESERVED.test((name.split(".")[0] ?? "").trimEnd()),
    why: "is a device name on Windows",
  },
  {
    code: "path.name-length",
    breaks: (name) => Buffer.byteLength(name) > NAME_BYTES,
    why: `is longer than ${NAME_BYTES} bytes`,
  },
];

/** `.git` as HFS+, NTFS and case-insensitive file systems read it: ignorable characters, streams, trailing dots, short name. */
function isGitFolder(name: string): boolean {
  const seen = name
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
    .normalize("NFKC")
    .toLowerCase()
    .replace(/:.*$/s, "")
    .replace(/[\s.]+$/u, "")
    .trimStart();
  return seen === ".git" || /^git~\d+$/.test(seen);
}

/** Throws a usage error, with a code of its own for each rule, when a rendered name may not stand in a project. */
export function checkName(name: string, source: string): void {
  const rule = RULES.find((each) => each.breaks(name));
  if (rule !== undefined) throw refused(rule.code, source, `the name ${JSON.stringify(shorten(name))} ${rule.why}`);
}

/** Throws when a whole path is too long or stands where factory keeps its own files. */
export function checkPath(path: string, source: string): void {
  if (Buffer.byteLength(path) > PATH_BYTES)
    throw refused("path.length", source, `the path is longer than ${PATH_BYTES} bytes: ${shorten(path)}`);
  if (fold(path.split("/")[0] ?? "") === ".factory")
    throw refused("path.factory", source, `${path} is inside .factory/, which factory writes itself`);
}

export interface Placed {
  /** Rendered path, `/` between names. */
  path: string;
  /** Path inside the template, for messages. */
  source: string;
}

interface Seen extends Placed {
  kind: "file" | "folder";
}

/** Throws when two paths would be one on a file system that folds case or Unicode forms, or when one is file and folder. */
export function checkCollisions(files: readonly Placed[]): void {
  const seen = new Map<string, Seen>();
  for (const { path, source } of files) {
    const names = path.split("/");
    names.forEach((_, at) => {
      const here: Seen = {
        path: names.slice(0, at + 1).join("/"),
        source,
        kind: at === names.length - 1 ? "file" : "folder",
      };
      const key = fold(here.path);
      const before = seen.get(key);
      if (before === undefined) seen.set(key, here);
      else checkPair(before, here);
    });
  }
}

function checkPair(before: Seen, here: Seen): void {
  const both = `${before.path} (from ${before.source}) and ${here.path}`;
  if (before.path !== here.path) {
    if (before.path.normalize("NFC") === here.path.normalize("NFC"))
      throw refused("collision.unicode", here.source, `${both} differ only in their Unicode form`);
    throw refused("collision.case", here.source, `${both} differ only in case`);
  }
  if (before.kind !== here.kind)
    throw refused(
      "collision.kind",
      here.source,
      `${here.path} is a file and a folder at once (also from ${before.source})`,
    );
  if (here.kind === "file")
    throw refused("collision.same", here.source, `${here.path} is written twice (also from ${before.source})`);
}

/** Upper case first: it unfolds letters such as ß, which lower case keeps. */
function fold(path: string): string {
  return path.normalize("NFKC").toUpperCase().toLowerCase().normalize("NFKC");
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function refused(code: string, source: string, what: string): FactoryError {
  return usageError(
    code,
    `template file ${JSON.stringify(shorten(source))}: ${what}`,
    "change the template, or the answer that the name is made of",
  );
}
