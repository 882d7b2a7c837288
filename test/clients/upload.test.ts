import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { sha256 } from "../../src/lib/hash.ts";
import { sendHttp } from "../../src/lib/http.ts";
import { uploadFile } from "../../src/lib/upload.ts";

/** Keeps what arrives whole, as a server does that writes beside and renames. */
interface Arrival {
  bytes: number;
  sha256: string;
}
let whole: Arrival[] = [];
let begun = 0;
let sockets = 0;
let answer: (count: number) => number = () => 200;
let server: Server;
let uri = "";
let folder = "";
let path = "";
const content = Buffer.alloc((5 << 20) + 7, "factory");
const expected = { sha256: sha256(content), bytes: content.length };

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "factory-upload-"));
  path = join(folder, "file");
  server = createServer((request, response) => {
    const count = ++begun;
    const status = answer(count);
    // A refusal before the body is read.
    if (status === 413) {
      response.writeHead(413, { "content-type": "application/json" }).end('{"error_code":"TOO_LARGE"}');
      return;
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      if (status === 0) request.socket.destroy();
      else {
        if (status === 200) whole.push({ bytes: body.length, sha256: sha256(body) });
        response.writeHead(status).end();
      }
    });
  });
  server.on("connection", () => sockets++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  uri = `http://127.0.0.1:${Object(server.address() satisfies AddressInfo | string | null).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  whole = [];
  begun = 0;
  sockets = 0;
  answer = () => 200;
});

test("a file arrives as it is, by one connection, with its progress", async () => {
  writeFileSync(path, content);
  let counted = 0;
  const pieces: number[] = [];
  for (const _ of [1, 2, 3]) {
    counted = 0;
    const reply = await uploadFile({ url: uri }, path, expected, (more) => {
      counted += more;
      pieces.push(more);
    });
    expect(reply.status).toBe(200);
    expect(counted).toBe(expected.bytes);
  }
  expect(whole).toEqual([expected, expected, expected]);
  expect(sockets).toBeLessThanOrEqual(1);
  // In pieces: a large file is never in memory.
  expect(Math.max(...pieces)).toBeLessThanOrEqual(1 << 20);
});

test("an empty file", async () => {
  writeFileSync(path, "");
  await uploadFile({ url: uri }, path, { sha256: sha256(""), bytes: 0 });
  expect(whole).toEqual([{ sha256: sha256(""), bytes: 0 }]);
});

test.each([503, 0])("repeated from the start after %i, and counted once", async (first) => {
  writeFileSync(path, content);
  answer = (count) => (count === 1 ? first : 200);
  let counted = 0;
  await uploadFile({ url: uri }, path, expected, (more) => {
    counted += more;
  });
  expect(begun).toBe(2);
  expect(whole).toEqual([expected]);
  expect(counted).toBe(expected.bytes);
});

test.each([
  ["other bytes of the same length", () => writeFileSync(path, Buffer.alloc(content.length, "yrotcaf"))],
  ["longer", () => appendFileSync(path, "x")],
  ["shorter", () => writeFileSync(path, content.subarray(1))],
  ["gone", () => rmSync(path)],
])("a changed file (%s) never arrives whole", async (_, change) => {
  writeFileSync(path, content);
  change();
  await expect(uploadFile({ url: uri }, path, expected)).rejects.toMatchObject({ code: "upload.changed", exit: 5 });
  expect(whole).toEqual([]);
  expect(begun).toBeLessThanOrEqual(1);
});

test("a refusal before the body was taken is the answer, and the rest is not sent", async () => {
  writeFileSync(path, content);
  answer = () => 413;
  const reply = await uploadFile({ url: uri, retries: 0 }, path, expected).catch((error: unknown) => error);
  // Whether the reply is read before the connection breaks is the network's choice.
  expect(reply).toSatisfy((value: unknown) => Object(value).status === 413 || Object(value).code === "http.failed");
  answer = () => 200;
  await uploadFile({ url: uri }, path, expected);
  expect(whole).toEqual([expected]);
});

test("who answers early and takes no more keeps no connection busy", async () => {
  const deaf = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.pause();
      socket.write("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n");
    });
  });
  await new Promise<void>((resolve) => deaf.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${Object(deaf.address()).port}`;
  // Larger than what the system takes for a socket that nobody reads.
  const large = Buffer.alloc(32 << 20);
  writeFileSync(path, large);
  const started = performance.now();
  for (let count = 0; count < 10; count++) {
    const reply = await uploadFile({ url, timeoutMs: 4000 }, path, { sha256: sha256(large), bytes: large.length });
    expect(reply.status).toBe(413);
  }
  expect(performance.now() - started).toBeLessThan(3500);
  deaf.close();
});

test("an abort ends it at once", async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  writeFileSync(path, content);
  const started = performance.now();
  const url = `http://127.0.0.1:${Object(silent.address()).port}`;
  await expect(uploadFile({ url, signal: AbortSignal.timeout(200) }, path, expected)).rejects.toThrow();
  await expect(uploadFile({ url, timeoutMs: 300, retries: 0 }, path, expected)).rejects.toThrow("no answer within");
  expect(performance.now() - started).toBeLessThan(3000);
  silent.closeAllConnections();
  silent.close();
});

test.each([2, 4])("a stream of %i bytes that was announced as 3 is an error, not a wait", async (length) => {
  const body = { bytes: 3, open: () => Readable.from(Buffer.alloc(length), { objectMode: false }) };
  await expect(sendHttp({ method: "PUT", url: uri, body, retries: 0, timeoutMs: 5000 })).rejects.toMatchObject({
    code: "http.failed",
    message: expect.stringContaining(`${length} of 3 bytes`),
  });
  expect(whole).toEqual([]);
});
