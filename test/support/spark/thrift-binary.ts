/**
 * Messages of Thrift's binary protocol as plain data, read and written without knowing what they mean: enough to change a field
 * of a message on its way. Numbers of 64 bits stay bytes.
 */

export interface Field {
  id: number;
  type: number;
  value: Value;
}
export type Struct = Field[];
export type Value = Buffer | number | boolean | Struct | List | Pairs;
export interface List {
  of: number;
  items: Value[];
}
export interface Pairs {
  key: number;
  value: number;
  pairs: [Value, Value][];
}
export interface Message {
  name: string;
  /** 1 call, 2 reply, 3 exception. */
  type: number;
  seq: number;
  body: Struct;
}

export const TYPE = {
  bool: 2,
  byte: 3,
  double: 4,
  i16: 6,
  i32: 8,
  i64: 10,
  string: 11,
  struct: 12,
  map: 13,
  set: 14,
  list: 15,
};
const VERSION = 0x8001;

/** The name and kind of a message, without reading its body. */
export function peek(bytes: Buffer): { name: string; type: number } {
  const length = bytes.readInt32BE(4);
  return { name: bytes.toString("utf8", 8, 8 + length), type: bytes.readUInt8(3) };
}

export function readMessage(bytes: Buffer): Message {
  if (bytes.readUInt16BE(0) !== VERSION) throw new Error("no message of the strict binary protocol");
  const { name, type } = peek(bytes);
  const reader = { bytes, at: 8 + Buffer.byteLength(name) };
  const seq = take(reader, 4).readInt32BE();
  return { name, type, seq, body: readStruct(reader) };
}

export function writeMessage({ name, type, seq, body }: Message): Buffer {
  return Buffer.concat([
    Buffer.from([0x80, 0x01, 0, type]),
    writeBytes(Buffer.from(name)),
    int32(seq),
    writeStruct(body),
  ]);
}

export function fieldOf(struct: Struct, id: number): Field | undefined {
  return struct.find((field) => field.id === id);
}

/** The struct in a field; an empty one that is not part of anything when there is none. */
export function structIn(struct: Struct, id: number): Struct {
  const value = fieldOf(struct, id)?.value;
  return Array.isArray(value) ? value : [];
}

export function setField(struct: Struct, id: number, type: number, value: Value): void {
  const field = fieldOf(struct, id);
  if (field === undefined) struct.push({ id, type, value });
  else Object.assign(field, { type, value });
}

interface Reader {
  bytes: Buffer;
  at: number;
}

function take(reader: Reader, count: number): Buffer {
  const part = reader.bytes.subarray(reader.at, reader.at + count);
  if (part.length !== count) throw new Error("a message that ends too early");
  reader.at += count;
  return part;
}

function readStruct(reader: Reader): Struct {
  const fields: Struct = [];
  for (;;) {
    const type = take(reader, 1).readUInt8();
    if (type === 0) return fields;
    fields.push({ type, id: take(reader, 2).readInt16BE(), value: readValue(reader, type) });
  }
}

function readValue(reader: Reader, type: number): Value {
  switch (type) {
    case TYPE.bool:
      return take(reader, 1).readUInt8() !== 0;
    case TYPE.byte:
      return take(reader, 1).readInt8();
    case TYPE.i16:
      return take(reader, 2).readInt16BE();
    case TYPE.i32:
      return take(reader, 4).readInt32BE();
    case TYPE.double:
    case TYPE.i64:
      return take(reader, 8);
    case TYPE.string:
      return take(reader, take(reader, 4).readInt32BE());
    case TYPE.struct:
      return readStruct(reader);
    case TYPE.map: {
      const [key, value] = [take(reader, 1).readUInt8(), take(reader, 1).readUInt8()];
      const count = take(reader, 4).readInt32BE();
      const pairs = Array.from({ length: count }, (): [Value, Value] => [
        readValue(reader, key),
        readValue(reader, value),
      ]);
      return { key, value, pairs };
    }
    case TYPE.set:
    case TYPE.list: {
      const of = take(reader, 1).readUInt8();
      const count = take(reader, 4).readInt32BE();
      return { of, items: Array.from({ length: count }, () => readValue(reader, of)) };
    }
    default:
      throw new Error(`a value of unknown type ${type}`);
  }
}

function writeStruct(fields: Struct): Buffer {
  const parts = fields.flatMap(({ id, type, value }) => [
    Buffer.from([type, (id >> 8) & 0xff, id & 0xff]),
    writeValue(type, value),
  ]);
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function writeValue(type: number, value: Value): Buffer {
  if (typeof value === "boolean") return Buffer.from([value ? 1 : 0]);
  if (typeof value === "number") {
    if (type === TYPE.byte) return Buffer.from([value & 0xff]);
    if (type === TYPE.i16) return Buffer.from([(value >> 8) & 0xff, value & 0xff]);
    return int32(value);
  }
  if (Buffer.isBuffer(value)) return type === TYPE.string ? writeBytes(value) : value;
  if (Array.isArray(value)) return writeStruct(value);
  if ("pairs" in value) {
    const { key, value: of, pairs } = value;
    return Buffer.concat([
      Buffer.from([key, of]),
      int32(pairs.length),
      ...pairs.flatMap(([each, its]) => [writeValue(key, each), writeValue(of, its)]),
    ]);
  }
  return Buffer.concat([
    Buffer.from([value.of]),
    int32(value.items.length),
    ...value.items.map((each) => writeValue(value.of, each)),
  ]);
}

function writeBytes(bytes: Buffer): Buffer {
  return Buffer.concat([int32(bytes.length), bytes]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
