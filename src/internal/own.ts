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

/** Fields that are either absent or set. */
export type Defined<Fields extends object> = {
  [Name in keyof Fields]: Exclude<Fields[Name], undefined>;
};

/** The fields that are set. A field that is `undefined` must not hide a default. */
export function withoutUndefined<Fields extends object>(fields: Fields): Defined<Fields> {
  if (!Object.values(fields).includes(undefined)) return { ...fields } as Defined<Fields>;
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Defined<Fields>;
}

/** Merges settings; later layers override earlier ones. `undefined` counts as not set. */
export function layered<Settings extends object>(
  ...layers: readonly (Settings | undefined)[]
): Partial<Settings> {
  const entries = layers.flatMap((layer) => Object.entries(layer ?? {}));
  return Object.fromEntries(
    entries.filter(([, value]) => value !== undefined),
  ) as Partial<Settings>;
}
