/**
 * Creates a value on first use. Later uses get it without a promise. A failure is not cached: the next use tries again.
 */
export function lazily<Value extends object>(
  make: () => Promise<Value>,
): () => Value | Promise<Value> {
  let made: Value | undefined;
  let making: Promise<Value> | undefined;
  return () => {
    if (made !== undefined) return made;
    making ??= make().then(
      (value) => {
        made = value;
        return value;
      },
      (error: unknown) => {
        making = undefined;
        throw error;
      },
    );
    return making;
  };
}

/** Calls `use` with the value, synchronously unless the value is a promise. */
export function whenReady<Value, Result>(
  value: Value | Promise<Value>,
  use: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return value instanceof Promise ? value.then(use) : use(value);
}
