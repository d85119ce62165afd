import { own } from '../../internal/own.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';
import { isObject, listOf, objectOf, textOf } from '../../wires/common/read.ts';

/** Optional properties and array items below this depth are left out, so that recursive schemas end. */
const maxDepth = 6;

const stringsByFormat: Readonly<Record<string, string>> = {
  date: '2026-01-01',
  'date-time': '2026-01-01T00:00:00Z',
  time: '00:00:00Z',
  email: 'someone@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
};

/**
 * Makes a value that fits a JSON Schema: const, enum, type, properties, required, items, prefixItems, anyOf,
 * oneOf, allOf, local `$ref`, and bounds of numbers, strings and arrays. Accepts Gemini's upper-case types.
 * Ignores `pattern`, `not` and conditions.
 */
export function schemaExample(schema: unknown): Json {
  return example(objectOf(schema), objectOf(schema), 0);
}

function example(schema: JsonObject, root: JsonObject, depth: number): Json {
  if ('const' in schema) return schema.const as Json;
  const choices = listOf(schema.enum);
  if (choices.length > 0) return choices[0] as Json;
  const reference = textOf(schema.$ref);
  if (reference !== undefined) return example(dereference(reference, root), root, depth + 1);
  const parts = listOf(schema.allOf).map(objectOf);
  if (parts.length > 0) return example(merge(schema, parts, root), root, depth);
  const options = [...listOf(schema.anyOf), ...listOf(schema.oneOf)].map(objectOf);
  const option = options.find((each) => each.type !== 'null') ?? options[0];
  if (option !== undefined && depth <= maxDepth) return example(option, root, depth + 1);
  if (option !== undefined && options.some((each) => each.type === 'null')) return null;
  return exampleOfType(typeOf(schema), schema, root, depth);
}

function exampleOfType(type: string, schema: JsonObject, root: JsonObject, depth: number): Json {
  if (type === 'object') return exampleObject(schema, root, depth);
  if (type === 'array') return exampleArray(schema, root, depth);
  if (type === 'string') return exampleString(schema);
  if (type === 'number' || type === 'integer') return exampleNumber(schema);
  if (type === 'boolean') return true;
  return null;
}

function exampleObject(schema: JsonObject, root: JsonObject, depth: number): Json {
  const properties = objectOf(schema.properties);
  const required = listOf(schema.required).map(String);
  const optional = required.length === 0 && depth < maxDepth ? Object.keys(properties) : [];
  return Object.fromEntries(
    [...required, ...optional].map((name) => [
      name,
      example(objectOf(own(properties, name)), root, depth + 1),
    ]),
  );
}

function exampleArray(schema: JsonObject, root: JsonObject, depth: number): Json {
  const fixed = listOf(schema.prefixItems).map((each) => example(objectOf(each), root, depth + 1));
  const count = Math.min(
    asNumber(schema.minItems) ?? (depth < maxDepth ? 1 : 0),
    asNumber(schema.maxItems) ?? Number.POSITIVE_INFINITY,
  );
  if (!isObject(schema.items) || fixed.length >= count) return fixed;
  const item = example(schema.items, root, depth + 1);
  return [...fixed, ...Array.from({ length: count - fixed.length }, () => item)];
}

function exampleString(schema: JsonObject): string {
  const format = own(stringsByFormat, textOf(schema.format) ?? '');
  if (format !== undefined) return format;
  const text = 'text'.padEnd(asNumber(schema.minLength) ?? 0, 'x');
  return text.slice(0, asNumber(schema.maxLength) ?? text.length);
}

function exampleNumber(schema: JsonObject): number {
  const above = asNumber(schema.exclusiveMinimum);
  const below = asNumber(schema.exclusiveMaximum);
  const step = asNumber(schema.multipleOf) ?? 1;
  const lowest = asNumber(schema.minimum) ?? (above === undefined ? undefined : above + step);
  if (lowest !== undefined) return Math.ceil(lowest / step) * step;
  const highest = asNumber(schema.maximum) ?? (below === undefined ? undefined : below - step);
  return highest === undefined || highest >= step ? step : Math.floor(highest / step) * step;
}

function typeOf(schema: JsonObject): string {
  const types = Array.isArray(schema.type) ? schema.type : [schema.type];
  const type = textOf(types.find((each) => each !== 'null') ?? types[0]);
  if (type !== undefined) return type.toLowerCase();
  if ('properties' in schema || 'required' in schema) return 'object';
  return 'items' in schema || 'prefixItems' in schema ? 'array' : 'string';
}

function dereference(reference: string, root: JsonObject): JsonObject {
  const path = reference.replace(/^#\/?/, '').split('/').filter(Boolean);
  return path.reduce<JsonObject>((parent, step) => {
    const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
    return objectOf(own(parent, name));
  }, root);
}

function merge(schema: JsonObject, parts: readonly JsonObject[], root: JsonObject): JsonObject {
  const { allOf: _allOf, ...rest } = schema;
  const all = [rest, ...parts.map((part) => resolved(part, root))];
  return {
    ...Object.assign({}, ...all),
    properties: Object.assign({}, ...all.map((each) => objectOf(each.properties))),
    required: all.flatMap((each) => listOf(each.required)),
  };
}

function resolved(part: JsonObject, root: JsonObject): JsonObject {
  const reference = textOf(part.$ref);
  return reference === undefined ? part : dereference(reference, root);
}

function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
