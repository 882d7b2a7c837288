import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { sha256 } from "../../../src/lib/hash.ts";
import type { SmallLine } from "../../support/small-line.ts";

const envelope = z.object({ payload: z.string(), payloadType: z.string(), signatures: z.array(z.unknown()) });
const said = z.object({ evidence: z.array(z.string()), bundles: z.array(z.string()) });

/** What a line exports for an auditor: each file of evidence and bundles, by its place in the ledger instead of a digest. */
export interface Exported {
  /** `evidence 1/junit/unit.xml` → its text without what two lines never share. */
  texts: Record<string, string>;
  /** `<digest of evidence or bundle>/<path>` → SHA-256 of the file. */
  digests: Map<string, string>;
}

export async function exported(line: SmallLine, to: string): Promise<Exported> {
  const answer = await line.run("approver", ["evidence", "export", "--all", "--to", to]);
  if (answer.status !== 0) throw new Error(answer.ran.stdout + answer.ran.stderr);
  const { evidence, bundles } = said.parse(answer.data);
  const found: Exported = { texts: {}, digests: new Map() };
  for (const [kind, folder, objects] of [
    ["evidence", "evidence", evidence],
    ["bundle", "bundles", bundles],
  ] as const)
    for (const [n, digest] of objects.entries())
      for (const entry of readdirSync(join(to, folder, digest), { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const path = join(entry.parentPath, entry.name);
        const below = path.slice(join(to, folder, digest).length + 1);
        const bytes = readFileSync(path);
        found.digests.set(`${digest}/${below}`, sha256(bytes));
        // A signature is named after its own bytes.
        const place = below.replaceAll(/[0-9a-f]{16,64}/g, "DIGEST");
        found.texts[`${kind} ${n + 1}/${place}`] = comparable(opened(bytes.toString("utf8")), line);
      }
  return found;
}

/** Text without what two lines never share: digests, keys, times, addresses, names of catalogs; and how bytes were seen, which can change in one of the two alone. */
export function comparable(text: string, line: SmallLine): string {
  return text
    .replaceAll(line.model, "MODEL")
    .replaceAll(/acme_(test|prod)/g, "$1")
    .replaceAll(line.root, "ROOT")
    .replaceAll(/("registry":\s*)\{[^}]*\}/g, '$1"REGISTRY"')
    .replaceAll(/http:\/\/127\.0\.0\.1:\d+(?: \(profile \w+\))?/g, "PLACE")
    .replaceAll(/[0-9a-f]{12,64}…?/g, "DIGEST")
    .replaceAll(/read just now|as recorded when they came there: nobody can change them/g, "SEEN")
    .replaceAll(/ed25519:[A-Za-z0-9+/]{43}=/g, "KEY")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replaceAll(/\b\d+ min old\b/g, "some min old")
    .replaceAll(/("bytes":\s*)\d+/g, "$10")
    .replaceAll(/\b1[78]\d{11}\b/g, "0");
}

/** Signed lines with what was signed in the open: of a signature itself nothing can be compared. */
function opened(text: string): string {
  return text
    .split("\n")
    .map((each) => {
      const found = envelope.safeParse(parsed(each));
      if (!found.success) return each;
      const { payload, payloadType, signatures } = found.data;
      return JSON.stringify({
        payloadType,
        signatures: signatures.length,
        payload: Buffer.from(payload, "base64").toString("utf8"),
      }).replaceAll('\\"', '"');
    })
    .join("\n");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
