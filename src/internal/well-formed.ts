function isLeaf(value: unknown): value is undefined | null | number | boolean {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return true;
  return typeof Reflect.get(value, 'toJSON') === 'function';
}

/** `seen` has the result for each object, and the object itself while its fields are visited. */
function withoutHalves(value: unknown, seen: Map<unknown, unknown>): unknown {
  if (typeof value === 'string') return value.isWellFormed() ? value : value.toWellFormed();
  if (isLeaf(value)) return value;
  if (seen.has(value)) return seen.get(value);
  seen.set(value, value);
  const sound = Array.isArray(value) ? soundList(value, seen) : soundFields(value as object, seen);
  seen.set(value, sound);
  return sound;
}

function soundList(list: readonly unknown[], seen: Map<unknown, unknown>): readonly unknown[] {
  const sound = list.map((each) => withoutHalves(each, seen));
  return sound.every((each, index) => each === list[index]) ? list : sound;
}

function soundFields(fields: object, seen: Map<unknown, unknown>): object {
  let isSound = true;
  const entries = Object.entries(fields).map(([key, value]): [string, unknown] => {
    const entry: [string, unknown] = [key.toWellFormed(), withoutHalves(value, seen)];
    isSound &&= entry[0] === key && entry[1] === value;
    return entry;
  });
  return isSound ? fields : Object.fromEntries(entries);
}

/**
 * The data with every half of a surrogate pair replaced by U+FFFD. Text that was cut inside an emoji has one, and
 * vendors reject its JSON escape. Returns the same object when there is none.
 */
export function wellFormed<Data>(data: Data): Data {
  return withoutHalves(data, new Map()) as Data;
}
