import type { Eventually } from '../protocol/store.ts';

/** Passes on a value that is there at once without a promise. */
export function after<Value, Result>(
  value: Eventually<Value>,
  next: (value: Value) => Eventually<Result>,
): Eventually<Result> {
  return isPending(value) ? Promise.resolve(value).then(next) : next(value);
}

export function isPending<Value>(value: Eventually<Value>): value is PromiseLike<Value> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  );
}
