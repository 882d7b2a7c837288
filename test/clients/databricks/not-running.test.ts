import { expect, test } from "vitest";
import { tokenEndpoint } from "../../../src/clients/databricks/auth/oauth.ts";
import { fakeServer } from "../../fakes/http-server.ts";

test("a workspace on this machine that does not run is the sandbox: no other server is named", async () => {
  const server = await fakeServer(() => {});
  await server.stop();
  const asked = tokenEndpoint({ host: server.uri, signal: undefined, now: () => Date.now() });
  await expect(asked).rejects.toMatchObject({
    code: "http.refused",
    hint: "is it running? the sandbox: factory sandbox start, with --keep to go on",
  });
});
