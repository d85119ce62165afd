/**
 * Makes a thing once, on first use; from then on it is there at once. A failure is not remembered: the next use
 * tries again.
 */
export function lazily<Thing extends object>(
  make: () => Promise<Thing>,
): () => Thing | Promise<Thing> {
  let made: Thing | undefined;
  let making: Promise<Thing> | undefined;
  return () => {
    if (made !== undefined) return made;
    making ??= make().then(
      (thing) => {
        made = thing;
        return thing;
      },
      (error: unknown) => {
        making = undefined;
        throw error;
      },
    );
    return making;
  };
}

/** Goes on with a value: at once, where it is there at once. */
export function whenReady<Value, Result>(
  value: Value | Promise<Value>,
  use: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return value instanceof Promise ? value.then(use) : use(value);
}
