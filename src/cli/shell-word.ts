/** A path as one word of a shell, for a command that is printed to be pasted. Pure. */
export function shellWord(path: string): string {
  return /^[\w./-][\w./~-]*$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
