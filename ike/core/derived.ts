/** What follows from a value that is never changed: made when it is first asked for, and kept for as long as the value lives. */
export function derived<From extends object, To>(make: (from: From) => To): (from: From) => To {
  const known = new WeakMap<From, To>();
  return (from) => {
    let found = known.get(from);
    if (found === undefined) {
      found = make(from);
      known.set(from, found);
    }
    return found;
  };
}
