import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import type { Finding, Outcome } from "./gate.ts";
import { isOutside, readPlainFile } from "./plain-file.ts";

const MAX_DOCUMENT_BYTES = 1 << 20;

/** The documents that whoever is woken at night needs, and what each must hold. */
const DOCUMENTS: readonly { path: string; headings?: readonly RegExp[]; mermaid?: boolean }[] = [
  { path: "README.md" },
  { path: "docs/architecture.md", mermaid: true },
  { path: "docs/runbook.md", headings: [/roll.?back/i, /escalat|on.?call/i] },
  { path: "docs/onboarding.md" },
  { path: "docs/model-card.md" },
];
const MIN_SECTIONS = 3;
const UNFINISHED = /\b(?:TODO|TBD|FIXME|lorem ipsum)\b/i;

/** Judges the documents of a project: there, with sections, finished, with links that lead somewhere. Reads files, runs nothing. */
export function judgeDocs(folder: string): Outcome {
  const findings = DOCUMENTS.flatMap((document) => judgeDocument(folder, document));
  const names = "README, architecture, runbook, onboarding, model card";
  return {
    verdict: findings.length === 0 ? "pass" : "fail",
    summary: findings.length === 0 ? names : `${findings.length} problems in the documents`,
    findings,
    cases: DOCUMENTS.length,
  };
}

function judgeDocument(folder: string, document: (typeof DOCUMENTS)[number]): Finding[] {
  const path = join(folder, document.path);
  if (!existsSync(path) || !statSync(path).isFile())
    return [{ message: `${document.path} is missing`, fix: "write it: the template's version is a start" }];
  const real = realpathSync(path);
  // What lies elsewhere is in no commit of the project, and not with whoever is woken at night.
  if (isOutside(realpathSync(folder), real))
    return [
      { message: `${document.path} is a link that leads out of the project`, fix: "put the document itself there" },
    ];
  const lines = readPlainFile(real, MAX_DOCUMENT_BYTES, document.path).toString("utf8").split(/\r?\n/);
  const prose = withoutFences(lines);
  const headings = prose.filter(({ text }) => /^#{1,6}\s/.test(text));
  const findings: Finding[] = [];
  const at = (line: number) => `${document.path}:${line}`;
  if (headings.filter(({ text }) => /^#\s/.test(text)).length !== 1)
    findings.push({ message: "needs exactly one title (# …)", where: at(1) });
  const sections = headings.filter(({ text }) => /^##\s/.test(text)).length;
  if (sections < MIN_SECTIONS)
    findings.push({ message: `has ${sections} sections (## …), needs ${MIN_SECTIONS}`, where: at(1) });
  for (const wanted of document.headings ?? []) {
    if (!headings.some(({ text }) => wanted.test(text)))
      findings.push({
        message: `has no section on ${wanted.source.replace(/\.\?|\\b/g, "").replaceAll("|", " or ")}`,
        where: at(1),
      });
  }
  if (document.mermaid && !lines.some((line) => /^\s*```mermaid\s*$/.test(line)))
    findings.push({ message: "has no Mermaid diagram (```mermaid)", where: at(1) });
  for (const { text, line } of prose) {
    const unfinished = UNFINISHED.exec(text);
    if (unfinished !== null) findings.push({ message: `unfinished: ${unfinished[0]}`, where: at(line) });
    for (const target of linksOf(text)) {
      const found = resolve(dirname(path), decodeLink(target));
      if (relative(folder, found).startsWith("..") || !existsSync(found))
        findings.push({ message: `link leads nowhere: ${target}`, where: at(line) });
    }
  }
  return findings;
}

function withoutFences(lines: readonly string[]): { text: string; line: number }[] {
  let fence: string | undefined;
  return lines.flatMap((text, i) => {
    const mark = /^\s*(```+|~~~+)/.exec(text)?.[1];
    if (mark !== undefined && (fence === undefined || mark.startsWith(fence))) {
      fence = fence === undefined ? mark : undefined;
      return [];
    }
    return fence === undefined ? [{ text, line: i + 1 }] : [];
  });
}

/** Relative targets of Markdown links; addresses and anchors are not looked up. */
function linksOf(text: string): string[] {
  return [...text.replace(/`[^`]*`/g, "").matchAll(/\]\(([^)\s]{1,1000})(?:\s{1,9}"[^"]{0,1000}")?\)/g)]
    .map((match) => (match[1] ?? "").replace(/#.*$/, ""))
    .filter((target) => target !== "" && !/^[a-z][a-z0-9+.-]*:/i.test(target));
}

function decodeLink(target: string): string {
  try {
    return decodeURIComponent(target);
  } catch {
    return target;
  }
}
