// What verifying a ledger costs beyond the hashing and the signatures themselves. `node bench/ledger.mjs` prints its own table.
import { createPublicKey, hash, verify } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundled, printWhenMain } from "./measure.mjs";

const CHAIN = Number(process.env.BENCH_CHAIN ?? 1_000_000);
const SIGNED = Number(process.env.BENCH_SIGNED ?? 10_000);
const RUNS = 5;
const CONTENTS = `
export { walkChain } from "./src/ledger/verify-chain.ts";
export { signedPart } from "./src/ledger/entry-line.ts";
export { viewOf } from "./src/ledger/view.ts";
import { chainOf, makePerson, opened, registered, signedPolicy } from "./test/support/line.ts";
import * as z from "zod";
// As the program has it.
z.config({ jitless: true });
export const owner = makePerson("owner@example.com");
export function signedChain(n) {
  const facts = [opened(signedPolicy({ people: [owner] })), ...Array.from({ length: n - 1 }, (_, i) => registered(i + 1))];
  return chainOf(facts.map((fact) => ({ fact, by: owner }))).text;
}
`;

/** Rows `{ what, ms, peer, peerMs, limit }`, each the median of interleaved runs. */
export async function ledgerRows() {
  const folder = mkdtempSync(join(tmpdir(), "factory-bench-ledger-"));
  try {
    const program = await bundled(folder, CONTENTS);
    return [chainRow(program), signedRow(program)];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The walk over a long chain, against one hash over the bytes of each line. */
function chainRow({ walkChain }) {
  const text = longChain(CHAIN);
  const times = interleaved({
    mine: () => {
      const { lines, problems } = walkChain(text);
      if (lines !== CHAIN || problems.length > 0) throw new Error("the chain is whole");
    },
    peer: () => {
      let lines = 0;
      for (let start = 0; start < text.length; lines++) {
        const end = text.indexOf(0x0a, start);
        hash("sha256", text.subarray(start, end), "hex");
        start = end + 1;
      }
      if (lines !== CHAIN) throw new Error("lines");
    },
  });
  return {
    what: `chain of ${CHAIN.toLocaleString("en")} entries (${Math.round(text.length / 1e6)} MB)`,
    ms: times.mine,
    peer: "hashing each of its lines",
    peerMs: times.peer,
    limit: 1.25,
  };
}

/** The whole view of a signed chain, against its signatures alone: the bytes and the keys lie ready. */
function signedRow({ viewOf, signedPart, signedChain, owner }) {
  const text = signedChain(SIGNED);
  const signatures = [];
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf(0x0a, start);
    signatures.push(signedPart(text.subarray(start, end)));
    start = end + 1;
  }
  const key = createPublicKey(owner.privateKey);
  const times = interleaved({
    mine: () => {
      const { entries, problems } = viewOf(text);
      if (entries.length !== SIGNED || problems.length > 0) throw new Error("the chain is whole");
    },
    peer: () => {
      for (const { signed, sig } of signatures) if (!verify(null, signed, key, sig)) throw new Error("signature");
    },
  });
  return {
    what: `${SIGNED.toLocaleString("en")} signed entries read and verified`,
    ms: times.mine,
    peer: "as many bare ed25519 checks",
    peerMs: times.peer,
    limit: 1.3,
  };
}

/** A chain in the form of a ledger, whose signatures nobody made. */
function longChain(entries) {
  const chunks = [];
  let prev = "0".repeat(64);
  for (let at = 1; at <= entries; ) {
    const lines = [];
    for (let i = 0; i < 10_000 && at <= entries; i++, at++) {
      const digest = hash("sha256", `model ${at}`);
      const body = `{"bundle":"${digest}","createdAt":1764057600000,"digest":"${digest}","environment":"prod","evidence":"${digest}","model":"claims.triage","started":${at},"version":"7"}`;
      const unhashed = `{"v":1,"seq":${at},"at":"2026-11-25T08:00:00.000Z","kind":"promoted","by":"ci-claims@example.com","key":"${digest}","body":${body},"prev":"${prev}","sig":"${"A".repeat(86)}=="`;
      prev = hash("sha256", unhashed);
      lines.push(`${unhashed},"hash":"${prev}"}\n`);
    }
    chunks.push(Buffer.from(lines.join("")));
  }
  return Buffer.concat(chunks);
}

/** Median milliseconds of processor time of each, run in turn so that a busy moment hits all alike; the first round warms up. */
function interleaved(calls) {
  const times = Object.fromEntries(Object.keys(calls).map((name) => [name, []]));
  for (let i = 0; i <= RUNS; i++) {
    for (const [name, call] of Object.entries(calls)) {
      const started = process.cpuUsage();
      call();
      const { user, system } = process.cpuUsage(started);
      if (i > 0) times[name].push((user + system) / 1000);
    }
  }
  return Object.fromEntries(
    Object.entries(times).map(([name, list]) => [name, list.sort((a, b) => a - b)[list.length >> 1]]),
  );
}

await printWhenMain(import.meta.url, ledgerRows);
