/**
 * Looks up a name from the caller or a vendor in a table, without the names that every object inherits (`constructor`,
 * `toString`).
 */
export function own<Value>(
  table: Readonly<Record<string, Value>>,
  name: string,
): Value | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
