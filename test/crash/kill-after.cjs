// Preloaded into the program: counts the steps that make something durable or visible on the disk, writes each to a log, and
// kills the process right after the one whose number is in CRASH_AFTER.
const fs = require("node:fs");
const { syncBuiltinESMExports } = require("node:module");

const after = Number(process.env.CRASH_AFTER ?? "0");
const log = process.env.CRASH_LOG;
const append = fs.appendFileSync;
const names = new Map();
let n = 0;

function step(what, path) {
  n++;
  if (log !== undefined) append(log, `${what} ${path}\n`);
  if (n === after) process.kill(process.pid, "SIGKILL");
}

const open = fs.openSync;
fs.openSync = (path, ...rest) => {
  const fd = open(path, ...rest);
  names.set(fd, String(path));
  return fd;
};
for (const [name, which] of [
  ["fsyncSync", (fd) => names.get(fd)],
  ["renameSync", (_, to) => to],
  ["linkSync", (_, to) => to],
]) {
  const real = fs[name];
  fs[name] = (...args) => {
    const result = real(...args);
    step(name.replace("Sync", ""), which(...args));
    return result;
  };
}
const renaming = fs.promises.rename;
fs.promises.rename = async (from, to) => {
  await renaming(from, to);
  step("rename", to);
};
const opening = fs.promises.open;
fs.promises.open = async (path, ...rest) => {
  const handle = await opening(path, ...rest);
  const sync = handle.sync.bind(handle);
  handle.sync = async () => {
    await sync();
    step("fsync", path);
  };
  return handle;
};
syncBuiltinESMExports();
