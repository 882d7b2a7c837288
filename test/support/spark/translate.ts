import {
  fieldOf,
  type Pairs,
  peek,
  readMessage,
  type Struct,
  setField,
  structIn,
  TYPE,
  type Value,
  writeMessage,
} from "./thrift-binary.ts";

/**
 * What a Spark Thrift server of the open-source kind and the driver of Databricks do not say alike. Everything else
 * passes through untouched, so that it is the driver that is tested.
 */

/** Hive V10, and Spark V8: the first version with which the driver sends parameters. */
const HIVE_V10 = 9;
const SPARK_V8 = 42248;
/** The state of an operation that failed. */
const FAILED = 5;
/** Fields of Databricks' extension. */
const NAMESPACE = 1284;
const PARAMETERS = 1288;
const RESULT_FORMAT = 1281;
const COLUMN_SETS = 1;

/** A request of the driver, as the server understands it. */
export function toServer(bytes: Buffer): Buffer {
  const { name } = peek(bytes);
  if (name !== "OpenSession" && name !== "ExecuteStatement") return bytes;
  const message = readMessage(bytes);
  const request = structIn(message.body, 1);
  if (name === "OpenSession") openSession(request);
  else if (parametersOf(request).length === 0) return bytes;
  else executeStatement(request);
  return writeMessage(message);
}

/** An answer of the server, as the driver understands it. */
export function toDriver(bytes: Buffer): Buffer {
  const { name, type } = peek(bytes);
  if (type !== 2 || (name !== "OpenSession" && name !== "GetResultSetMetadata")) return bytes;
  const message = readMessage(bytes);
  const reply = structIn(message.body, 0);
  if (name === "OpenSession") setField(reply, 2, TYPE.i32, SPARK_V8);
  else {
    setField(reply, RESULT_FORMAT, TYPE.i32, COLUMN_SETS);
    const columns = fieldOf(structIn(reply, 2), 1)?.value;
    // They start at 0 here: every value would move one column to the left, and the first be lost.
    if (typeof columns === "object" && "items" in columns)
      for (const [index, column] of columns.items.entries())
        if (Array.isArray(column)) setField(column, 3, TYPE.i32, index + 1);
  }
  return writeMessage(message);
}

/** State of an operation in an answer to GetOperationStatus; undefined for any other message. */
export function operationState(bytes: Buffer): number | undefined {
  const { name, type } = peek(bytes);
  if (type !== 2 || name !== "GetOperationStatus") return undefined;
  const state = fieldOf(structIn(readMessage(bytes).body, 0), 2)?.value;
  return typeof state === "number" ? state : undefined;
}

/** An answer that an operation failed, given before the server had put down why: it says so when it is asked again. */
export function failedWithoutReason(bytes: Buffer): boolean {
  if (operationState(bytes) !== FAILED) return false;
  return textOf(structIn(readMessage(bytes).body, 0), 5) === undefined;
}

/** For a request to cancel an operation: one that asks how it stands with it. */
export function questionBeforeCancel(bytes: Buffer): Buffer | undefined {
  if (peek(bytes).name !== "CancelOperation") return undefined;
  return writeMessage({ ...readMessage(bytes), name: "GetOperationStatus" });
}

/** The statement in a request; undefined for any other message. */
export function statementIn(bytes: Buffer): string | undefined {
  if (peek(bytes).name !== "ExecuteStatement") return undefined;
  return textOf(structIn(readMessage(bytes).body, 1), 2);
}

/** The same request with a statement that the server refuses in these words. */
export function refusedWith(bytes: Buffer, words: string): Buffer {
  const message = readMessage(bytes);
  setField(structIn(message.body, 1), 2, TYPE.string, Buffer.from(`SELECT raise_error(${literal(words)})`));
  return writeMessage(message);
}

function openSession(request: Struct): void {
  const namespace = textOf(structIn(request, NAMESPACE), 2);
  for (let id = 1281; id <= 1285; id++) {
    const at = request.findIndex((field) => field.id === id);
    if (at >= 0) request.splice(at, 1);
  }
  setField(request, 1, TYPE.i32, HIVE_V10);
  const given = fieldOf(request, 4)?.value;
  const before: [Value, Value][] = typeof given === "object" && "pairs" in given ? given.pairs : [];
  const pairs = before.map(([key, value]): [Value, Value] => [Buffer.from(`set:hiveconf:${key}`), value]);
  if (namespace !== undefined) pairs.push([Buffer.from("use:database"), Buffer.from(namespace)]);
  const configuration: Pairs = { key: TYPE.string, value: TYPE.string, pairs };
  setField(request, 4, TYPE.map, configuration);
}

/** Parameters are known to the server inside of the language alone. */
function executeStatement(request: Struct): void {
  const values = parametersOf(request).map((parameter) => {
    const value = textOf(structIn(parameter, 4), 1);
    const type = textOf(parameter, 3) ?? "STRING";
    const cast = value === undefined || type === "VOID" ? "NULL" : `CAST(${literal(value)} AS ${type})`;
    const name = textOf(parameter, 2);
    return name === undefined ? cast : `${cast} AS \`${name}\``;
  });
  const text = `EXECUTE IMMEDIATE ${literal(textOf(request, 2) ?? "")} USING ${values.join(", ")}`;
  setField(request, 2, TYPE.string, Buffer.from(text));
  request.splice(
    request.findIndex((field) => field.id === PARAMETERS),
    1,
  );
}

function parametersOf(request: Struct): Struct[] {
  const list = fieldOf(request, PARAMETERS)?.value;
  return typeof list === "object" && "items" in list ? list.items.filter((each) => Array.isArray(each)) : [];
}

function literal(text: string): string {
  return `'${text.replace(/\\/g, "\\\\").replace(/'/g, "\\'")}'`;
}

function textOf(struct: Struct, id: number): string | undefined {
  const value = fieldOf(struct, id)?.value;
  return Buffer.isBuffer(value) ? value.toString("utf8") : undefined;
}
