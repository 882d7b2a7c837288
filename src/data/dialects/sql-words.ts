/** One word of a SQL text. `name` is an identifier in double quotes, `text` a literal; their values are decoded. */
export interface Word {
  kind: "word" | "name" | "text" | "number" | "sign";
  value: string;
}

const SIGNS = ["<>", "!=", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", ",", "."];

/** The words of a SQL text in the standard's spelling (`"name"`, `'it''s'`), comments left out; or what is not understood. */
export function sqlWords(sql: string): Word[] | { reason: string } {
  const words: Word[] = [];
  let rest = sql;
  while (rest !== "") {
    const skipped = /^(?:\s+|--[^\n]*|\/\*(?:(?!\/\*)[\s\S])*?\*\/)/.exec(rest);
    if (skipped !== null) {
      rest = rest.slice(skipped[0].length);
      continue;
    }
    const word = read(rest);
    if (word === undefined)
      return { reason: `${JSON.stringify(Array.from(rest).slice(0, 12).join(""))} is not understood` };
    words.push(word.word);
    rest = rest.slice(word.length);
  }
  return words;
}

function read(rest: string): { word: Word; length: number } | undefined {
  const text = /^'((?:[^']|'')*)'(?!')/.exec(rest);
  if (text !== null)
    return { word: { kind: "text", value: (text[1] ?? "").replaceAll("''", "'") }, length: text[0].length };
  const name = /^"((?:[^"]|"")+)"(?!")/.exec(rest);
  if (name !== null)
    return { word: { kind: "name", value: (name[1] ?? "").replaceAll('""', '"') }, length: name[0].length };
  const number = /^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z0-9_.])/.exec(rest);
  if (number !== null) return { word: { kind: "number", value: number[0] }, length: number[0].length };
  const plain = /^[A-Za-z_][A-Za-z0-9_]*(?!['"A-Za-z0-9_$#@])/.exec(rest);
  if (plain !== null) return { word: { kind: "word", value: plain[0] }, length: plain[0].length };
  const sign = SIGNS.find((each) => rest.startsWith(each));
  // `//`, `**`, `--`, `==`: what the signs would make together is another operator.
  if (sign === undefined || /^(?:\/\/|\*\*|==|->|<=>|%%|\+\+)/.test(rest)) return undefined;
  return { word: { kind: "sign", value: sign }, length: sign.length };
}
