import { isObject } from '../common/read.ts';

/**
 * Whether some object of the schema may have keys that it does not name, as a map from names to values has.
 * Anthropic closes every object, so a map could only come back empty: such a schema is asked for in words.
 */
export function hasFreeKeys(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.some(hasFreeKeys);
  if (!isObject(schema)) return false;
  const { type, properties, additionalProperties, patternProperties } = schema;
  const isMap =
    (type === 'object' && properties === undefined && additionalProperties !== false) ||
    isObject(additionalProperties) ||
    isObject(patternProperties);
  if (isMap && !('$ref' in schema)) return true;
  // The names of properties are no keywords.
  const inner = isObject(properties) ? Object.values(properties) : [];
  const { properties: _named, enum: _enum, const: _const, default: _default, ...keywords } = schema;
  return [...inner, ...Object.values(keywords)].some(hasFreeKeys);
}
