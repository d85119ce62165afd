/** Whether something holds for all elements, holes included: `Array.prototype.every` passes over those. */
export function everyElement<Element>(
  list: readonly unknown[],
  holds: (element: unknown) => element is Element,
): list is readonly Element[] {
  for (const element of list) if (!holds(element)) return false;
  return true;
}
