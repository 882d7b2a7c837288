/** One request, as the workspace saw it. Tokens and bodies are never kept. */
export interface LogEntry {
  at: number;
  method: string;
  /** Path with the query. */
  url: string;
  /** `GET /api/2.0/fs/files/*path`; undefined: no such route. */
  route: string | undefined;
  /** 0: the connection was broken, or no answer was given. */
  status: number;
  userAgent: string;
  principal: string | undefined;
  requestId: string;
  /** Id of the fault that struck. */
  fault: number | undefined;
  /** Whether the route did its work, whatever became of the reply. */
  acted: boolean;
}
