import type { JsonSchema } from '../../protocol/json.ts';
import { isObject } from './read.ts';
import {
  constrainsNothing,
  isObjectSchema,
  isRejected,
  rulesByDialect,
} from './schema-dialects.ts';

/**
 * Whether OpenAI can enforce the schema (`strict: true`). The root must be an object, every object must be closed and
 * require all its properties, and every keyword must be supported.
 */
export function isStrictCompatible(schema: JsonSchema): boolean {
  return isObjectSchema(schema) && !('anyOf' in schema) && isStrict(schema);
}

function isStrict(schema: unknown): boolean {
  if (!isObject(schema)) return false;
  const { openai } = rulesByDialect;
  const known = Object.entries(schema).every(
    ([keyword, value]) =>
      (openai.keywords.has(keyword) || keyword === 'definitions') &&
      !isRejected(keyword, value, openai),
  );
  const isConstrained = ['type', 'anyOf', '$ref', 'enum', 'const'].some((key) => key in schema);
  if (!known || !isConstrained) return false;
  const { properties, required, items, anyOf, $defs, definitions } = schema;
  const names = isObject(properties) ? Object.keys(properties) : [];
  if (isObjectSchema(schema)) {
    const listed = new Set(Array.isArray(required) ? required : []);
    if (schema.additionalProperties !== false || !names.every((name) => listed.has(name))) {
      return false;
    }
  }
  const inner = [properties, $defs, definitions].flatMap((each) =>
    isObject(each) ? Object.values(each) : [],
  );
  if (Array.isArray(anyOf)) inner.push(...anyOf);
  if (items !== undefined) inner.push(items);
  return inner.every(isStrict);
}

/**
 * The schema for OpenAI with `strict: false`, where it only guides the model. Removes `propertyNames`, which OpenAI
 * rejects even then.
 */
export function guidanceSchema(schema: JsonSchema): {
  readonly schema: JsonSchema;
  readonly relaxed: readonly string[];
} {
  const relaxed: string[] = [];
  const clean = (value: unknown, path: string): unknown => {
    if (Array.isArray(value)) return value.map((inner, index) => clean(inner, `${path}${index}.`));
    if (!isObject(value)) return value;
    const entries = Object.entries(value).filter(([keyword, inner]) => {
      // A property may also be named `propertyNames`.
      const isKeyword = keyword === 'propertyNames' && !path.endsWith('properties.');
      if (isKeyword && !constrainsNothing(keyword, inner)) relaxed.push(`${path}${keyword}`);
      return !isKeyword;
    });
    return Object.fromEntries(
      entries.map(([keyword, inner]) => [keyword, clean(inner, `${path}${keyword}.`)]),
    );
  };
  const { $schema, ...whole } = schema;
  const cleaned = clean(whole, '');
  return { schema: isObject(cleaned) ? cleaned : whole, relaxed };
}
