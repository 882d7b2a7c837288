/**
 * Gives each approval's person to one role at most, so that as many places as possible are filled: where an assignment that fills
 * all of them exists, it is found, whoever came first (augmenting paths in a bipartite graph of places and people). The approvals
 * used, by the index of `asked`. Pure.
 */
export function assignRoles<A>(
  asked: readonly { role: string; count: number }[],
  approvals: readonly A[],
  of: (approval: A) => { person: string; role: string } | undefined,
): A[][] {
  const given = approvals.flatMap((approval) => {
    const said = of(approval);
    return said === undefined ? [] : [{ approval, ...said }];
  });
  const places = asked.flatMap(({ role, count }, index) =>
    // More places than approvals are never filled.
    Array.from({ length: Math.min(count, given.length) }, () => ({ index, role })),
  );
  /** By person: the place that they fill, and with which approval. */
  const taken = new Map<string, { place: number; approval: A }>();
  const fill = (place: number, tried: Set<string>): boolean => {
    for (const { approval, person, role } of given) {
      if (role !== places[place]?.role || tried.has(person)) continue;
      tried.add(person);
      const held = taken.get(person);
      if (held === undefined || fill(held.place, tried)) {
        taken.set(person, { place, approval });
        return true;
      }
    }
    return false;
  };
  for (const place of places.keys()) fill(place, new Set());
  return asked.map((_, index) =>
    [...taken.values()].filter(({ place }) => places[place]?.index === index).map(({ approval }) => approval),
  );
}
