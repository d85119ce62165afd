import type { JsonObject } from '../../protocol/json.ts';

/** Readers for bodies of unknown shape. A value of an unexpected type counts as absent. */

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object, or an empty one. */
export function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** The list, or an empty one. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The string, unless it is empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** No real answer has this many parts. */
const maxIndex = 100_000;

/** The number, if it is a valid index of a part in an answer. */
export function indexOf(value: unknown): number | undefined {
  const isIndex = Number.isInteger(value) && Number(value) >= 0 && Number(value) <= maxIndex;
  return isIndex ? Number(value) : undefined;
}

/** The number, if it is finite and not negative. */
export function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}
