import type { JsonObject } from '../../protocol/json.ts';

/** Whose understanding of JSON Schema. */
export type Dialect = 'openai' | 'anthropic' | 'gemini';

/** What one vendor takes. */
export type DialectRules = {
  /** Keywords that are sent as they are (those that hold schemas are walked into). */
  readonly keywords: ReadonlySet<string>;
  readonly formats: ReadonlySet<string>;
  /** The largest `minItems` the vendor takes. */
  readonly largestMinItems: number;
  /**
   * Objects that are closed: `all`, since the vendor refuses `additionalProperties` other than `false`; or `unsaid`,
   * those with properties that do not say otherwise, since only closed ones are enforced and what fits the closed
   * one fits the open one too.
   */
  readonly closedObjects: 'all' | 'unsaid' | 'none';
  /** `const` is written as an `enum` of one. */
  readonly constAsEnum: boolean;
};

const sharedFormats = [
  'date-time',
  'time',
  'date',
  'duration',
  'email',
  'hostname',
  'ipv4',
  'ipv6',
  'uuid',
];
const sharedKeywords = [
  'type',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'enum',
  'anyOf',
  '$ref',
  '$defs',
  'title',
  'description',
  'format',
  'minItems',
];

export const rulesByDialect: Readonly<Record<Dialect, DialectRules>> = {
  // https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
  openai: {
    keywords: new Set([
      ...sharedKeywords,
      'const',
      'pattern',
      'maxItems',
      'minimum',
      'maximum',
      'exclusiveMinimum',
      'exclusiveMaximum',
      'multipleOf',
    ]),
    formats: new Set(sharedFormats),
    largestMinItems: Number.POSITIVE_INFINITY,
    closedObjects: 'unsaid',
    constAsEnum: false,
  },
  // https://platform.claude.com/docs/en/build-with-claude/structured-outputs
  anthropic: {
    keywords: new Set([...sharedKeywords, 'const', 'allOf']),
    formats: new Set([...sharedFormats, 'uri']),
    largestMinItems: 1,
    closedObjects: 'all',
    constAsEnum: false,
  },
  // https://ai.google.dev/api/generate-content#FIELDS.response_json_schema
  gemini: {
    keywords: new Set([
      ...sharedKeywords,
      '$id',
      '$anchor',
      'prefixItems',
      'oneOf',
      'maxItems',
      'minimum',
      'maximum',
      'propertyOrdering',
    ]),
    formats: new Set(sharedFormats),
    largestMinItems: Number.POSITIVE_INFINITY,
    closedObjects: 'none',
    constAsEnum: true,
  },
};

/** Keywords that constrain nothing: left out without a word. */
export const annotations = new Set([
  '$schema',
  '$id',
  '$anchor',
  '$comment',
  'title',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'propertyOrdering',
]);

/** Leaving these out changes nothing: annotations, and the bounds that zod puts on every integer and record. */
export function saysNothing(keyword: string, value: unknown): boolean {
  if (annotations.has(keyword)) return true;
  if (keyword === 'minimum' || keyword === 'maximum') {
    return Math.abs(Number(value)) >= Number.MAX_SAFE_INTEGER;
  }
  return keyword === 'propertyNames' && JSON.stringify(value) === '{"type":"string"}';
}

/** Keywords that a vendor takes with some values only. */
export function isRefused(keyword: string, value: unknown, rules: DialectRules): boolean {
  if (keyword === 'format') return typeof value !== 'string' || !rules.formats.has(value);
  if (keyword === 'minItems') return Number(value) > rules.largestMinItems;
  // OpenAI's grammar knows no lookaround, which zod's own patterns (email) use.
  if (keyword === 'pattern') return /\(\?<?[=!]/.test(String(value));
  return false;
}

/** Whether the schema is of objects, said or meant. */
export function isObjectSchema(schema: JsonObject): boolean {
  const { type } = schema;
  if (type === undefined) return 'properties' in schema;
  return type === 'object' || (Array.isArray(type) && type.includes('object'));
}
