import { createHash } from "node:crypto";
import { plainName } from "../evidence/evidence-index.ts";
import { type Evidence, readFileOf } from "../evidence/read-evidence.ts";
import { FactoryError } from "../lib/error.ts";
import type { History } from "../people/history.ts";
import { strangeInWheel } from "./wheel-of-commit.ts";

/** What the evidence keeps of the project as it lies there. A card that was added by hand is no file of the project. */
const KEPT = /^(?<kind>project|contract|bundle|model-card)\/(?<path>.+)$/;

/**
 * What the evidence says is the project's and the commit does not hold: whoever wrote its folder may have changed it, and git may
 * have been told to ignore a file, of which then nobody is said to have changed it.
 */
export async function strangeFiles(
  history: History,
  commit: string,
  evidence: Pick<Evidence, "files" | "folder">,
): Promise<string[]> {
  const held = await history.blobs(commit);
  // Evidence has plain names, and git any.
  const byName = new Map([...held].map(([path, id]) => [plainName(path), id]));
  const where = `commit ${commit.slice(0, 12)} holds`;
  const strange: string[] = [];
  for (const file of evidence.files) {
    const { kind, path } = KEPT.exec(file.path)?.groups ?? {};
    if (path !== undefined && (kind !== "model-card" || path === "docs/model-card.md")) {
      if (!isBlob(await readFileOf(evidence, file), byName.get(path)))
        strange.push(`${path} of the ${kind === "bundle" ? kind : "evidence"} is not what ${where}: check again`);
    } else if (file.path.startsWith("wheel/"))
      strange.push(...(await wheelReasons(history, held, await readFileOf(evidence, file), where)));
  }
  // The limits of every environment are read from it.
  const isWhole = evidence.files.some(({ path }) => path === "project/factory.yaml");
  return isWhole ? strange : [...strange, "the evidence holds no factory.yaml: check again"];
}

async function wheelReasons(
  history: History,
  held: ReadonlyMap<string, string>,
  wheel: Buffer,
  where: string,
): Promise<string[]> {
  const textOf = async (path: string): Promise<string | undefined> => {
    const id = held.get(path);
    return id === undefined ? undefined : history.text(id);
  };
  const isHeld = (path: string, bytes: Buffer): boolean => {
    const id = held.get(path);
    return isBlob(bytes, id) || isBlob(largeFilePointer(bytes), id);
  };
  try {
    const [pyproject = "", lock] = await Promise.all(["pyproject.toml", "uv.lock"].map(textOf));
    return strangeInWheel(wheel, isHeld, { pyproject, lock }, where);
  } catch (error) {
    if (!(error instanceof FactoryError) || error.code !== "zip.form") throw error;
    return [`the wheel of the evidence: ${error.message}`];
  }
}

/** Whether git gives a file of these bytes this id, in a repository of SHA-1 or SHA-256. */
function isBlob(bytes: Uint8Array, id: string | undefined): boolean {
  const hash = createHash(id?.length === 64 ? "sha256" : "sha1");
  return id === hash.update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** What a commit holds of a file that git-lfs keeps elsewhere: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
function largeFilePointer(bytes: Uint8Array): Uint8Array {
  const digest = createHash("sha256").update(bytes).digest("hex");
  return Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${digest}\nsize ${bytes.length}\n`);
}
