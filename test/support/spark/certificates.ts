import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A certificate, its key, and the authority that it is of; all PEM. */
export interface Certificates {
  caFile: string;
  ca: string;
  key: string;
  cert: string;
}

/** A certificate authority of its own in this folder, and a certificate of it for localhost and these names. */
export function makeCertificates(folder: string, names: readonly string[] = []): Certificates {
  const openssl = (...argv: string[]): void => {
    const { status, stderr } = spawnSync("openssl", argv, { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${argv.join(" ")}: ${stderr}`);
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=factory tests");
  openssl("req", ...newKey, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=localhost");
  const alternatives = ["subjectAltName=DNS:localhost", "IP:127.0.0.1", ...names.map((name) => `DNS:${name}`)].join(
    ",",
  );
  writeFileSync(join(folder, "leaf.ext"), `${alternatives}\nbasicConstraints=CA:FALSE\n`);
  const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "leaf.ext"];
  openssl("x509", "-req", "-in", "leaf.csr", ...signed, "-out", "leaf.pem");
  const text = (name: string): string => readFileSync(join(folder, name), "utf8");
  return { caFile: join(folder, "ca.pem"), ca: text("ca.pem"), key: text("leaf.key"), cert: text("leaf.pem") };
}
