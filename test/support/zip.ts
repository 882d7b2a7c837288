import { crc32, deflateRawSync } from "node:zlib";

export interface ZipFile {
  name: string;
  content: string | Buffer;
  /** What the header before the file says, where it is not what the list says. */
  stands?: { name?: string; content?: string };
  flags?: number;
  method?: 0 | 8;
  /** Written behind the packed bytes, and counted with them. */
  behind?: Buffer;
}

/** A zip archive as Python writes a wheel, or one that no honest program writes. */
export function zipOf(files: readonly ZipFile[]): Buffer {
  const parts: Buffer[] = [];
  const list: Buffer[] = [];
  let at = 0;
  for (const { name, content, stands = {}, flags = 0, method = 8, behind = Buffer.alloc(0) } of files) {
    const header = (name: string, content: string | Buffer, listed: boolean) => {
      const bytes = Buffer.from(content);
      const packed = Buffer.concat([method === 0 ? bytes : deflateRawSync(bytes), behind]);
      const head = Buffer.alloc(listed ? 46 : 30);
      head.writeUInt32LE(listed ? 0x02014b50 : 0x04034b50);
      const from = listed ? 6 : 4;
      for (const [i, value] of [20, flags, method, 0, 0].entries()) head.writeUInt16LE(value, from + 2 * i);
      for (const [i, value] of [crc32(bytes), packed.length, bytes.length].entries())
        head.writeUInt32LE(value, from + 10 + 4 * i);
      head.writeUInt16LE(Buffer.byteLength(name), from + 22);
      if (listed) head.writeUInt32LE(at, 42);
      return { head: Buffer.concat([head, Buffer.from(name)]), packed };
    };
    list.push(header(name, content, true).head);
    const { head, packed } = header(stands.name ?? name, stands.content ?? content, false);
    parts.push(head, packed);
    at += head.length + packed.length;
  }
  const listed = Buffer.concat(list);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, listed, end]);
}

/** A wheel of these files and a description of itself. */
export function wheelOf(
  files: Readonly<Record<string, string>>,
  about: Readonly<Record<string, string | Buffer>> = {},
): Buffer {
  const info = "claims_triage-0.1.0.dist-info";
  const texts = { METADATA: "Metadata-Version: 2.4\nName: claims-triage\nVersion: 0.1.0\n", ...about };
  return zipOf([
    ...Object.entries(files).map(([name, content]) => ({ name, content })),
    ...Object.entries(texts).map(([name, content]) => ({ name: `${info}/${name}`, content })),
  ]);
}
