import * as z from 'zod';
import type { JsonSchema } from '../protocol/json.ts';
import type { StandardSchema } from '../protocol/standard-schema.ts';
import { isCheap } from './cheap-pattern.ts';
import { issueMessage, meantIssues } from './wording.ts';

/** Keywords that constrain objects. */
const objectKeywords = ['properties', 'required', 'additionalProperties', 'patternProperties'];

/** Keywords whose value is a schema, a list of schemas, or schemas by name. */
const innerSchemas = [
  ...['items', 'prefixItems', 'additionalItems', 'contains'],
  ...['additionalProperties', 'propertyNames'],
];
const alternatives = ['allOf', 'anyOf', 'oneOf'];
const namedSchemas = ['properties', 'patternProperties', '$defs', 'definitions'];

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapNamed(
  schemas: Record<string, unknown>,
  map: (schema: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(schemas).map(([name, each]) => [name, map(each)]));
}

/** Also the required properties that are not described. */
function withRequired(schema: Record<string, unknown>): Record<string, unknown> {
  const { properties = {}, required, additionalProperties } = schema;
  if (!isRecord(properties) || !Array.isArray(required)) return schema;
  const missing = required.filter((name) => !Object.hasOwn(properties, name));
  if (missing.length === 0) return schema;
  const rule = isRecord(additionalProperties) ? additionalProperties : true;
  const added = Object.fromEntries(missing.map((name) => [name, rule]));
  return { ...schema, properties: { ...properties, ...added } };
}

/** Without the patterns that must not be tried on the text of a model. */
function withoutCostly(schema: Record<string, unknown>): Record<string, unknown> {
  const { pattern, patternProperties, additionalProperties, ...rest } = schema;
  const isPlain = patternProperties === undefined || !isRecord(patternProperties);
  const areCheap = isPlain || Object.keys(patternProperties).every(isCheap);
  return {
    ...rest,
    ...(pattern !== undefined && (typeof pattern !== 'string' || isCheap(pattern)) && { pattern }),
    ...(areCheap && patternProperties !== undefined && { patternProperties }),
    ...(areCheap && additionalProperties !== undefined && { additionalProperties }),
  };
}

/**
 * The same schema with what zod needs to read it: zod ignores `properties` and `required` without `type`, as branches of
 * a union often are, and `required` without `properties`. All branches of a `oneOf` would match then, which is an error.
 * `around` is the type that the schemas around this one give to the same value.
 */
function explicit(schema: unknown, around?: unknown): unknown {
  if (!isRecord(schema)) return schema;
  const isBare = !['type', 'enum', 'const', '$ref'].some((keyword) => keyword in schema);
  const isOfObject = isBare && objectKeywords.some((keyword) => keyword in schema);
  const type = schema.type ?? around ?? (isOfObject ? 'object' : undefined);
  const result = withoutCostly(schema);
  if (isOfObject && [type].flat().includes('object')) result.type = type;
  const mapAll = (value: unknown, map: (each: unknown) => unknown): unknown =>
    Array.isArray(value) ? value.map((each) => map(each)) : map(value);
  for (const keyword of innerSchemas) {
    if (keyword in result) result[keyword] = mapAll(result[keyword], (each) => explicit(each));
  }
  for (const keyword of alternatives) {
    if (keyword in schema) {
      result[keyword] = mapAll(schema[keyword], (each) => explicit(each, type));
    }
  }
  for (const keyword of namedSchemas) {
    const schemas = result[keyword];
    if (isRecord(schemas)) result[keyword] = mapNamed(schemas, (each) => explicit(each));
  }
  return [result.type].flat().includes('object') ? withRequired(result) : result;
}

/** zod resolves references to `definitions` only in the dialect that had them. */
function dialectOf(schema: JsonSchema): 'draft-7' | 'draft-2020-12' {
  return 'definitions' in schema && !('$defs' in schema) ? 'draft-7' : 'draft-2020-12';
}

/**
 * A validator for plain JSON Schema. A `pattern` is only checked if it takes little time whatever the text is.
 * @throws Error for a schema that is not valid or not understood
 */
export function plainValidator(schema: JsonSchema): StandardSchema {
  const checked = z.fromJSONSchema(explicit(schema) as JsonSchema, {
    defaultTarget: dialectOf(schema),
    // The global registry would keep schemas that have an `id`.
    registry: z.registry(),
  });
  return {
    '~standard': {
      version: 1,
      vendor: 'signalbox',
      validate(value) {
        const { success, data, error } = checked.safeParse(value, { error: issueMessage });
        return success ? { value: data } : { issues: error.issues.flatMap(meantIssues) };
      },
    },
  };
}
