/** A bearer token and when it ends; milliseconds since 1970. Undefined: it does not say. */
export interface Token {
  value: string;
  expiresMs: number | undefined;
  /** When it was had, to tell how long it lives. */
  fromMs: number;
}

/** A way to a token. */
export interface TokenSource {
  /** A new token. `refused`: the last one was, though it had not ended. */
  fetch(refused: boolean): Promise<Token>;
  /** Everything that the token is had for, secrets included; undefined: it is never kept on disk. */
  keptFor?: () => Promise<readonly string[]>;
  /** More headers that each request needs. */
  headers?(): Promise<Readonly<Record<string, string>>>;
  /** It always gives the same: there is no point in asking again after a refusal. */
  fixed?: true;
}
