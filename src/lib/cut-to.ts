/** The beginning of a text, at most so long. No character is cut in half: what is left of one is no text that could be signed. */
export function cutTo(text: string, most: number): string {
  return text
    .slice(0, most)
    .replace(/[\ud800-\udbff]$/, "")
    .toWellFormed();
}
