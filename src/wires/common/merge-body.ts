import { own } from '../../internal/own.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';

function isPlainObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Merges the caller's fields into the vendor's body. The caller's fields win. Objects are merged recursively; lists
 * and all other values are replaced.
 */
export function mergeBody(
  body: JsonObject,
  extra: { readonly [key: string]: Json } | undefined,
): JsonObject {
  if (extra === undefined) return body;
  const merged: Record<string, unknown> = { ...body };
  for (const [key, value] of Object.entries(extra)) {
    const current = own(merged, key);
    merged[key] =
      isPlainObject(current) && isPlainObject(value)
        ? mergeBody(current, value as { readonly [key: string]: Json })
        : value;
  }
  return merged;
}
