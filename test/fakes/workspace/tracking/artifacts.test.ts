import { afterEach, expect, test } from "vitest";
import * as z from "zod";
import { caller, textAt } from "../calls.ts";
import { type FakeWorkspace, startWorkspace } from "../server.ts";
import { tracking } from "./state.ts";

const P = "/api/2.0/mlflow";
const credentials = z.object({ credential_infos: z.array(z.object({ signed_uri: z.string(), path: z.string() })) });

let workspace: FakeWorkspace | undefined;
let clock = 0;
afterEach(async () => {
  await workspace?.stop();
});

async function withRun() {
  clock = Date.now();
  const fake = await startWorkspace({
    principals: [{ name: "ann@example.com" }, { name: "bob@example.com" }],
    now: () => clock,
  });
  workspace = fake;
  const call = caller(fake.url, fake.identity("ann@example.com").token);
  const { json } = await call("POST", `${P}/experiments/create`, { name: "/Users/ann@example.com/e" });
  const experiment = textAt(json, "experiment_id");
  const run = textAt(
    (await call("POST", `${P}/runs/create`, { experiment_id: experiment })).json,
    "run",
    "info",
    "run_id",
  );
  const signed = async (way: "read" | "write", path: string): Promise<string> => {
    const reply = await call("POST", `${P}/artifacts/credentials-for-${way}`, { run_id: run, path: [path] });
    return credentials.parse(reply.json).credential_infos[0]?.signed_uri ?? "";
  };
  return { fake, call, experiment, run, signed, storage: caller("") };
}

test("a presigned URL does one thing, for some minutes, without a token", async () => {
  const { call, signed, storage, fake, run } = await withRun();
  const write = await signed("write", "a/b c.txt");
  expect((await storage("PUT", write, "hello")).status).toBe(200);
  const read = await signed("read", "a/b c.txt");
  expect((await storage("GET", read)).text).toBe("hello");
  const part = await caller("", undefined, { range: "bytes=1-2" })("GET", read);
  expect([part.status, part.text, part.headers.get("content-range")]).toEqual([206, "el", "bytes 1-2/5"]);
  expect((await caller("", undefined, { range: "bytes=9-" })("GET", read)).status).toBe(416);

  const withToken = await call("GET", read);
  expect([withToken.status, withToken.text]).toEqual([400, expect.stringContaining("Only one auth mechanism allowed")]);
  expect((await storage("PUT", read, "other")).text).toContain("SignatureDoesNotMatch");
  expect((await storage("GET", write)).text).toContain("SignatureDoesNotMatch");
  expect((await storage("GET", read.replace("c.txt", "d.txt"))).status).toBe(403);
  expect((await storage("GET", read.replace(/X-Amz-Signature=.*/, "X-Amz-Signature=0"))).status).toBe(403);
  expect((await storage("GET", await signed("read", "none"))).text).toContain("NoSuchKey");
  clock += tracking.of(fake.state).settings.presignedSeconds * 1000;
  expect((await storage("GET", read)).text).toContain("Request has expired");
  const listed = await call("GET", `${P}/artifacts/list?run_id=${run}&path=a`);
  expect(listed.json.files).toEqual([{ path: "a/b c.txt", is_dir: false, file_size: 5 }]);
});

test("storage refuses a body of unknown length and headers that differ from the signed ones", async () => {
  const { signed, storage, fake } = await withRun();
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("x"));
      controller.close();
    },
  });
  const chunked = await fetch(await signed("write", "x"), { method: "PUT", body: stream, duplex: "half" });
  expect([chunked.status, await chunked.text()]).toEqual([501, expect.stringContaining("Transfer-Encoding")]);
  tracking.of(fake.state).settings.uploadHeaders.push({ name: "x-amz-server-side-encryption", value: "aws:kms" });
  expect((await storage("PUT", await signed("write", "x"), "x")).status).toBe(403);
  const headed = caller("", undefined, { "x-amz-server-side-encryption": "aws:kms" });
  expect((await headed("PUT", await signed("write", "x"), "x")).status).toBe(200);
});

test("parts: tags must match, only the last may be small, an aborted upload is gone", async () => {
  const { call, storage, run, fake } = await withRun();
  tracking.of(fake.state).settings.minPartBytes = 4;
  const start = async () => {
    const { json } = await call("POST", `${P}/artifacts/create-multipart-upload`, {
      run_id: run,
      path: "big",
      num_parts: 2,
    });
    const url = (i: number) => textAt(json, "upload_credential_infos", i, "signed_uri");
    return { upload_id: textAt(json, "upload_id"), url, abort: textAt(json, "abort_credential_info", "signed_uri") };
  };
  const first = await start();
  const tags = [];
  for (const [i, body] of ["abcd", "e"].entries()) {
    const put = await storage("PUT", first.url(i), body);
    tags.push({ part_number: i + 1, etag: put.headers.get("etag") ?? "" });
  }
  const complete = (part_etags: object[], upload_id = first.upload_id) =>
    call("POST", `${P}/artifacts/complete-multipart-upload`, { run_id: run, path: "big", upload_id, part_etags });
  expect((await complete([{ part_number: 1, etag: "other" }])).json.message).toContain("InvalidPart");
  expect((await complete([...tags].reverse())).status).toBe(400);
  expect((await complete(tags)).status).toBe(200);
  expect((await complete(tags)).status).toBe(404);
  const small = await start();
  const etag = (await storage("PUT", small.url(0), "abc")).headers.get("etag") ?? "";
  const second = (await storage("PUT", small.url(1), "abc")).headers.get("etag") ?? "";
  const parts = [
    { part_number: 1, etag },
    { part_number: 2, etag: second },
  ];
  expect((await complete(parts, small.upload_id)).json.message).toContain("EntityTooSmall");
  expect((await storage("DELETE", small.abort)).status).toBe(204);
  expect((await storage("PUT", small.url(0), "abcd")).text).toContain("NoSuchUpload");
});

test("another's experiment is neither read nor written, and is found in no list", async () => {
  const { fake, experiment, run } = await withRun();
  const bob = caller(fake.url, fake.identity("bob@example.com").token);
  for (const [method, path, body] of [
    ["GET", `experiments/get?experiment_id=${experiment}`, undefined],
    ["GET", `runs/get?run_id=${run}`, undefined],
    ["POST", "runs/create", { experiment_id: experiment }],
    ["POST", "runs/log-metric", { run_id: run, key: "a", value: 1, timestamp: 1 }],
    ["POST", "runs/search", { experiment_ids: [experiment] }],
    ["POST", "artifacts/credentials-for-read", { run_id: run, path: ["a"] }],
    ["POST", "logged-models", { experiment_id: experiment, name: "m" }],
  ] as const) {
    const reply = await bob(method, `${P}/${path}`, body);
    expect([path, reply.status, reply.json.error_code]).toEqual([path, 403, "PERMISSION_DENIED"]);
  }
  expect((await bob("POST", `${P}/experiments/search`, { max_results: 10 })).json.experiments).toBeUndefined();
});

test("what the workspace alone refuses", async () => {
  const { call, run, experiment } = await withRun();
  const code = async (path: string, body: object) => (await call("POST", `${P}/${path}`, body)).json.error_code;
  expect(await code("experiments/create", { name: "/Nowhere/e" })).toBe("RESOURCE_DOES_NOT_EXIST");
  expect(await code("experiments/create", { name: "/Workspace/Users/ann@example.com/e" })).toBe(
    "RESOURCE_ALREADY_EXISTS",
  );
  expect(await code("experiments/search", { max_results: 3001 })).toBe("INVALID_PARAMETER_VALUE");
  expect(await code("runs/set-tag", { run_id: run, key: "k", value: "x".repeat(65_537) })).toBe(
    "INVALID_PARAMETER_VALUE",
  );
  expect(await code("runs/log-batch", { run_id: run, colour: 1 })).toBe("MALFORMED_REQUEST");
  const ofRun = { experiment_ids: [experiment], filter: `source_run_id = '${"a".repeat(32)}'` };
  expect(await code("logged-models/search", ofRun)).toBe("INVALID_PARAMETER_VALUE");
  expect(await code("logged-models/search", { experiment_ids: [experiment], max_results: 51 })).toBe(
    "INVALID_PARAMETER_VALUE",
  );
  expect(await code("artifacts/credentials-for-write", { run_id: run, path: ["../x"] })).toBe(
    "INVALID_PARAMETER_VALUE",
  );
});
