/**
 * An address as policy lists it: NFKC-folded, lower case, without `+tag` and trailing dot. Undefined when it is not plain
 * ASCII with something on both sides of one @: look-alike letters must not stand for a person.
 */
export function normaliseAddress(address: string): string | undefined {
  const folded = address.normalize("NFKC").trim().toLowerCase().replace(/\.+$/, "");
  const match = /^([\x21-\x3f\x41-\x7e]+)@([\x21-\x3f\x41-\x7e]+)$/.exec(folded);
  const local = match?.[1]?.replace(/\+.*$/, "");
  return local === undefined || local === "" || match?.[2] === undefined ? undefined : `${local}@${match[2]}`;
}

/**
 * A name of a person or service in the one form in which names are compared: an address as above; a handle or an id in
 * lower case. Undefined for what is neither: not plain ASCII, or with control characters.
 */
export function normaliseName(name: string): string | undefined {
  if (name.includes("@")) return normaliseAddress(name);
  const folded = name.normalize("NFKC").trim().toLowerCase();
  return /^[\x20-\x7e]+$/.test(folded) ? folded : undefined;
}
