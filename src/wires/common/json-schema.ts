import { own } from '../../internal/own.ts';
import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import { isObject } from './read.ts';
import {
  annotations,
  type Dialect,
  type DialectRules,
  isObjectSchema,
  isRefused,
  rulesByDialect,
  saysNothing,
} from './schema-dialects.ts';
import { guidanceSchema, isStrictCompatible } from './strict-schema.ts';

const schemaMaps = new Set(['properties', '$defs']);
const schemaLists = new Set(['anyOf', 'oneOf', 'allOf', 'prefixItems']);

function mapValues(value: unknown, each: (inner: unknown, key: string) => unknown): unknown {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, each(inner, key)]));
}

/**
 * Spells a schema in the one way that all three vendors read: `definitions` as `$defs`, and `allOf` of plain
 * objects as one object.
 */
function normalise(schema: JsonObject): JsonObject {
  const { definitions, allOf, ...rest } = schema;
  const named = isObject(definitions)
    ? { ...rest, $defs: { ...definitions, ...(isObject(rest.$defs) ? rest.$defs : {}) } }
    : rest;
  if (!Array.isArray(allOf)) return named;
  const merged = mergeAll([named, ...allOf]);
  return merged ?? { ...named, allOf };
}

/** The schemas as one, when no two of them say different things of the same keyword. */
function mergeAll(schemas: readonly unknown[]): JsonObject | undefined {
  const merged: Record<string, unknown> = {};
  for (const schema of schemas) {
    if (!isObject(schema) || '$ref' in schema || 'allOf' in schema) return undefined;
    for (const [key, value] of Object.entries(schema)) {
      const before = own(merged, key);
      if (before === undefined || annotations.has(key) || key === 'description') {
        merged[key] = before ?? value;
      } else if (key === 'required' && Array.isArray(before) && Array.isArray(value)) {
        merged[key] = [...new Set([...before, ...value])];
      } else if (key === 'properties' && isObject(before) && isObject(value)) {
        if (Object.keys(value).some((name) => Object.hasOwn(before, name))) return undefined;
        merged[key] = { ...before, ...value };
      } else if (JSON.stringify(before) !== JSON.stringify(value)) {
        return undefined;
      }
    }
  }
  // A closed object inside `allOf` forbids its siblings' properties: no value would fit, so nobody means it.
  return merged;
}

/** Walks one schema; `relaxed` collects the path of each constraint that could not be said. */
function relax(input: unknown, rules: DialectRules, path: string, relaxed: string[]): unknown {
  if (!isObject(input)) return input;
  const schema = normalise(input);
  const walk = (inner: unknown, ...steps: readonly (string | number)[]): unknown =>
    relax(inner, rules, [path, ...steps].filter((step) => step !== '').join('.'), relaxed);
  const output: Record<string, unknown> = {};
  const told: string[] = [];
  const giveUp = (keyword: string, value: unknown): void => {
    relaxed.push(path === '' ? keyword : `${path}.${keyword}`);
    // The model may still honour what the vendor's grammar cannot enforce.
    if (!isObject(value)) told.push(`${keyword}: ${JSON.stringify(value)}`);
  };

  for (const [keyword, value] of Object.entries(schema)) {
    // Vendors refuse a reference with neighbours other than definitions.
    if ('$ref' in schema && keyword !== '$ref' && keyword !== '$defs') {
      if (!annotations.has(keyword) && keyword !== 'description') giveUp(keyword, value);
    } else if (keyword === '$ref' && typeof value === 'string') {
      output.$ref = value.replace(/^#\/definitions\//, '#/$defs/');
    } else if (keyword === 'oneOf' && !rules.keywords.has('oneOf') && Array.isArray(value)) {
      // The looser `anyOf` is what all vendors have; branches that exclude each other mean the same.
      output.anyOf = value.map((inner, index) => walk(inner, 'oneOf', index));
    } else if (keyword === 'const' && rules.constAsEnum) {
      Object.assign(output, constAsEnum(value));
    } else if (!rules.keywords.has(keyword)) {
      if (!saysNothing(keyword, value)) giveUp(keyword, value);
    } else if (schemaMaps.has(keyword)) {
      output[keyword] = mapValues(value, (inner, key) => walk(inner, keyword, key));
    } else if (schemaLists.has(keyword) && Array.isArray(value)) {
      output[keyword] = value.map((inner, index) => walk(inner, keyword, index));
    } else if (keyword === 'items') {
      output.items = walk(value, 'items');
    } else if (keyword === 'additionalProperties') {
      if (rules.closedObjects === 'all' && value !== false) giveUp(keyword, value);
      else output.additionalProperties = walk(value, 'additionalProperties');
    } else if (isRefused(keyword, value, rules)) {
      giveUp(keyword, value);
    } else {
      output[keyword] = value;
    }
  }
  if (isObjectSchema(output) && isToClose(output, rules)) {
    Object.assign(output, { type: output.type ?? 'object', additionalProperties: false });
  }
  if (told.length > 0 && !('$ref' in output)) {
    const description = typeof output.description === 'string' ? `${output.description}\n\n` : '';
    output.description = `${description}{${told.join(', ')}}`;
  }
  return output;
}

function isToClose(schema: JsonObject, { closedObjects }: DialectRules): boolean {
  if (closedObjects !== 'unsaid') return closedObjects === 'all';
  return 'properties' in schema && !('additionalProperties' in schema);
}

/** Gemini's enums hold strings and numbers only. */
function constAsEnum(value: unknown): JsonObject {
  if (value === null) return { type: 'null' };
  if (typeof value === 'boolean') return { type: 'boolean' };
  return { enum: [value] };
}

/**
 * The schema in the vendor's dialect. What the vendor cannot enforce is taken out, told to the model in the
 * `description`, and listed in `relaxed` by its path; the answer must then be checked against the original.
 * Annotations that constrain nothing go without mention. For OpenAI the schema is only rewritten when that
 * makes it fit for `strict: true`; otherwise it comes back whole but
 * for what OpenAI refuses altogether, to be sent with `strict: false`.
 */
export function relaxSchema(
  schema: JsonSchema,
  dialect: Dialect,
): { readonly schema: JsonSchema; readonly relaxed: readonly string[] } {
  const relaxed: string[] = [];
  const output = relax(schema, rulesByDialect[dialect], '', relaxed);
  const result = isObject(output) ? output : schema;
  if (dialect === 'openai' && !isStrictCompatible(result)) {
    return guidanceSchema(schema);
  }
  return { schema: result, relaxed };
}
