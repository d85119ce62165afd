import type { ConfigChange } from '../protocol/config-source.ts';
import { formatPath } from './problems.ts';

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** The keys of both, each once. */
function keysOf(before: object, after: object): readonly PropertyKey[] {
  if (Array.isArray(before) && Array.isArray(after)) {
    return Array.from({ length: Math.max(before.length, after.length) }, (_, index) => index);
  }
  return [...new Set([...Object.keys(before), ...Object.keys(after)])];
}

/** What differs between two JSON values. What was added or removed as a whole is one change. `undefined` is absence. */
export function changesBetween(before: unknown, after: unknown): readonly ConfigChange[] {
  const changes: ConfigChange[] = [];
  const compare = (old: unknown, next: unknown, path: readonly PropertyKey[]): void => {
    if (Object.is(old, next)) return;
    if (!isContainer(old) || !isContainer(next) || Array.isArray(old) !== Array.isArray(next)) {
      const kind = old === undefined ? 'added' : next === undefined ? 'removed' : 'changed';
      changes.push({ path: formatPath(path), kind });
      return;
    }
    for (const key of keysOf(old, next)) {
      const of = (value: object) =>
        Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
      compare(of(old), of(next), [...path, key]);
    }
  };
  compare(before, after, []);
  return changes;
}
