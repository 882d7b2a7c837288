import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProcess } from "../../src/lib/run-process.ts";

test("a daemon that left the process group and keeps the pipes does not hold the check", {
  timeout: 20_000,
}, async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "factory-daemon-")));
  const pidFile = join(folder, "pid");
  try {
    const result = await runProcess({
      argv: [
        "python3",
        "-c",
        "import subprocess,sys;p=subprocess.Popen(['sleep','60'],start_new_session=True);open(sys.argv[1],'w').write(str(p.pid));print('done')",
        pidFile,
      ],
      cwd: folder,
      env: { PATH: process.env.PATH ?? "" },
      timeoutMs: 60_000,
      onLine: () => {},
      logFile: join(folder, "log"),
    });
    expect(result.status).toBe(0);
    expect(result.durationMs).toBeLessThan(15_000);
    expect(readFileSync(join(folder, "log"), "utf8")).toBe("done\n");
  } finally {
    if (existsSync(pidFile)) process.kill(Number(readFileSync(pidFile, "utf8")), "SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
});
