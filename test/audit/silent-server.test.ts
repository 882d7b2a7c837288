import { afterAll, beforeAll, expect, test } from "vitest";
import { startMlflowServer } from "../support/mlflow-server.ts";
import { type Story, screen, tellStory } from "./world.ts";

let story: Story;
beforeAll(async () => {
  const server = await startMlflowServer();
  story = await tellStory(server);
  await server.stop();
}, 180_000);
afterAll(() => story.line.remove());

test("a server that does not run is one cause: verify and status say it once, with what starts it", async () => {
  const verify = await screen(story.line, "verify");
  const status = await screen(story.line, "status");
  const json = await screen(story.line, "verify", "--json");
  expect(verify.status).toBe(4);
  const [, below = ""] = verify.stdout.split("\n\n");
  expect(below.trimEnd().split("\n")).toEqual([
    expect.stringMatching(
      /^ {2}\? 7 bundles, of entries 4, 7, 9, 12, 15, 17, 19: nothing answers at http:\/\/127\.0\.0\.1:\d+$/,
    ),
    expect.stringMatching(/^ {2}\? the registry of dev, test, prod did not answer: nothing answers at /),
    "    → is it running? factory local start",
  ]);
  expect(json.stdout.match(/factory local start/g)).toHaveLength(1);
  expect(status.stdout).toContain("\n  → is it running? factory local start\n");
  for (const line of status.stdout.split("\n").filter((each) => each.startsWith("!")))
    expect(line.length).toBeLessThan(120);
  for (const { stdout } of [verify, status, json]) expect(stdout).not.toContain("sandbox");
});
