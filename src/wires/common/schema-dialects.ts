import type { JsonObject } from '../../protocol/json.ts';

/** The vendors' subsets of JSON Schema. */
export type Dialect = 'openai' | 'anthropic' | 'gemini';

/** What one vendor accepts. */
export type DialectRules = {
  /** Keywords that are sent. Schemas inside them are rewritten too. */
  readonly keywords: ReadonlySet<string>;
  readonly formats: ReadonlySet<string>;
  /** The largest `minItems` that the vendor accepts. */
  readonly largestMinItems: number;
  /**
   * Which objects get `additionalProperties: false`. `all`: the vendor rejects any other value. `unsaid`: objects with
   * properties that do not set it, because the vendor enforces only closed objects, and what matches the closed schema
   * also matches the open one.
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

/** Keywords that constrain nothing. They are dropped without a warning. */
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

/**
 * Whether dropping the keyword changes nothing: annotations, and the bounds that zod adds to every integer and record.
 */
export function constrainsNothing(keyword: string, value: unknown): boolean {
  if (annotations.has(keyword)) return true;
  if (keyword === 'minimum' || keyword === 'maximum') {
    return Math.abs(Number(value)) >= Number.MAX_SAFE_INTEGER;
  }
  return keyword === 'propertyNames' && JSON.stringify(value) === '{"type":"string"}';
}

/** Whether the vendor rejects this value of a keyword that it otherwise accepts. */
export function isRejected(keyword: string, value: unknown, rules: DialectRules): boolean {
  if (keyword === 'format') return typeof value !== 'string' || !rules.formats.has(value);
  if (keyword === 'minItems') return Number(value) > rules.largestMinItems;
  // OpenAI's grammar has no lookaround, which zod's patterns use (email).
  if (keyword === 'pattern') return /\(\?<?[=!]/.test(String(value));
  return false;
}

/** Whether the schema describes objects, by its type or by having properties. */
export function isObjectSchema(schema: JsonObject): boolean {
  const { type } = schema;
  if (type === undefined) return 'properties' in schema;
  return type === 'object' || (Array.isArray(type) && type.includes('object'));
}
