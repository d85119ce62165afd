import { own } from '../../internal/own.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';

function isPlainObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The vendor's body with the caller's own fields laid over it, which win. Objects are merged field by field;
 * lists and everything else are replaced.
 */
export function mergeBody(
  body: JsonObject,
  extra: { readonly [key: string]: Json } | undefined,
): JsonObject {
  if (extra === undefined) return body;
  const merged: Record<string, unknown> = { ...body };
  for (const [key, value] of Object.entries(extra)) {
    const under = own(merged, key);
    merged[key] =
      isPlainObject(under) && isPlainObject(value)
        ? mergeBody(under, value as { readonly [key: string]: Json })
        : value;
  }
  return merged;
}
