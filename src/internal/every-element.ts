/** Like `Array.prototype.every`, but also checks the holes of sparse arrays. */
export function everyElement<Element>(
  list: readonly unknown[],
  holds: (element: unknown) => element is Element,
): list is readonly Element[] {
  for (const element of list) if (!holds(element)) return false;
  return true;
}
