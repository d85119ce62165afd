import { isObject } from '../common/read.ts';

/**
 * Whether an object of the schema allows keys that it does not list, such as a map from names to values. Anthropic
 * closes every object, so a map would always be empty. Such a schema is sent in the prompt instead.
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
  // The keys of `properties` are names, not keywords.
  const inner = isObject(properties) ? Object.values(properties) : [];
  const { properties: _named, enum: _enum, const: _const, default: _default, ...keywords } = schema;
  return [...inner, ...Object.values(keywords)].some(hasFreeKeys);
}
