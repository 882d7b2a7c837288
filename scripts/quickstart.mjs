// `npm run quickstart` on a clone: installs, builds, then runs the built program's own quickstart.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ready, root } from "./lib/ready.mjs";

ready();
const child = spawn(process.execPath, [join(root, "dist/main.js"), "quickstart", ...process.argv.slice(2)], {
  stdio: "inherit",
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("close", (code, signal) => process.exit(code ?? (signal === null ? 1 : 130)));
