/**
 * The entry of a table under a name that comes from outside (the caller or a vendor). Names that every object inherits
 * (`constructor`, `toString`) have no entry.
 */
export function own<Value>(
  table: Readonly<Record<string, Value>>,
  name: string,
): Value | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
