import { own } from '../../internal/own.ts';
import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import { isObject } from './read.ts';
import { createResolver } from './root-schema.ts';

/** The vendors' subsets of JSON Schema. */
export type Dialect = 'openai' | 'anthropic' | 'gemini';

/** What one vendor accepts. */
type DialectRules = {
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
  /** The values that an `enum` may contain. Strings must then not be empty. */
  readonly enumValues: 'any' | 'scalars' | 'strings-and-numbers';
};

/** The rules for one schema. */
type Rules = DialectRules & {
  readonly resolve: (reference: string) => JsonObject | undefined;
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

const rulesByDialect: Readonly<Record<Dialect, DialectRules>> = {
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
    enumValues: 'any',
  },
  // https://platform.claude.com/docs/en/build-with-claude/structured-outputs
  anthropic: {
    keywords: new Set([...sharedKeywords, 'const', 'allOf']),
    formats: new Set([...sharedFormats, 'uri']),
    largestMinItems: 1,
    closedObjects: 'all',
    constAsEnum: false,
    enumValues: 'scalars',
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
    enumValues: 'strings-and-numbers',
  },
};

/** Keywords that constrain nothing. They are dropped without a warning. */
const annotations = new Set([
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
function constrainsNothing(keyword: string, value: unknown): boolean {
  if (annotations.has(keyword)) return true;
  if (keyword === 'minimum' || keyword === 'maximum') {
    return Math.abs(Number(value)) >= Number.MAX_SAFE_INTEGER;
  }
  return keyword === 'propertyNames' && JSON.stringify(value) === '{"type":"string"}';
}

/** Whether the vendor rejects this value of a keyword that it otherwise accepts. */
function isRejected(keyword: string, value: unknown, rules: DialectRules): boolean {
  if (keyword === 'format') return typeof value !== 'string' || !rules.formats.has(value);
  if (keyword === 'minItems') return Number(value) > rules.largestMinItems;
  // OpenAI's grammar has no lookaround, which zod's patterns use (email).
  if (keyword === 'pattern') return /\(\?<?[=!]/.test(String(value));
  return false;
}

/** Whether the schema describes objects, by its type or by having properties. */
function isObjectSchema(schema: JsonObject): boolean {
  const { type } = schema;
  if (type === undefined) return 'properties' in schema;
  return type === 'object' || (Array.isArray(type) && type.includes('object'));
}

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

const schemaMaps = new Set(['properties', '$defs']);
const schemaLists = new Set(['anyOf', 'oneOf', 'allOf', 'prefixItems']);

function mapValues(value: unknown, each: (inner: unknown, key: string) => unknown): unknown {
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, each(inner, key)]));
}

/**
 * Rewrites a schema in the form that all three vendors accept: `definitions` becomes `$defs`, and an `allOf` of plain
 * objects and of references to them becomes one object.
 */
function normalise(schema: JsonObject, resolve: Rules['resolve']): JsonObject {
  const { definitions, allOf, ...rest } = schema;
  const named = isObject(definitions)
    ? { ...rest, $defs: { ...definitions, ...(isObject(rest.$defs) ? rest.$defs : {}) } }
    : rest;
  if (!Array.isArray(allOf)) return named;
  const [first, ...others] = allOf;
  const isAlias = others.length === 0 && isObject(first) && '$ref' in first;
  if (isAlias && Object.keys(named).every((key) => annotations.has(key) || key === 'description')) {
    return { ...named, ...first };
  }
  const inlined = allOf.map((each: unknown) =>
    isObject(each) && typeof each.$ref === 'string' && Object.keys(each).length === 1
      ? (resolve(each.$ref) ?? each)
      : each,
  );
  const merged = mergeAll([named, ...inlined]);
  return merged ?? { ...named, allOf };
}

/** `patternProperties` as `additionalProperties`, which accepts more keys. */
function withoutPatterns(schema: JsonObject, rules: DialectRules): JsonObject {
  const { patternProperties, additionalProperties, ...rest } = schema;
  const isMap = isObject(patternProperties) && !isObject(additionalProperties);
  if (rules.closedObjects !== 'none' || !isMap) return schema;
  const [first, ...others] = Object.values(patternProperties);
  if (first === undefined) return schema;
  const values = others.length === 0 ? first : { anyOf: [first, ...others] };
  return { ...rest, additionalProperties: values };
}

type EnumForm = { readonly fields: JsonObject; readonly isExact: boolean };

/** An `enum` in a form that the vendor accepts. Without one, the type of its values, which accepts more. */
function enumForm(values: readonly unknown[], type: unknown, rules: DialectRules): EnumForm {
  const isIn = (accepts: (value: unknown) => boolean) => values.every(accepts);
  const isScalar = (value: unknown): boolean => typeof value !== 'object' || value === null;
  if (rules.enumValues === 'any' || (rules.enumValues === 'scalars' && isIn(isScalar))) {
    return { fields: { enum: values }, isExact: true };
  }
  if (rules.enumValues === 'scalars') return { fields: {}, isExact: false };
  const isNumber = (value: unknown): boolean => typeof value === 'number';
  const rest = values.filter((value) => value !== null);
  const isText = rest.every((value) => typeof value === 'string');
  const types = Array.isArray(type) ? type.filter((each) => each !== 'null') : [type];
  const given = types.length === 1 ? types[0] : undefined;
  const inferred = isText ? 'string' : rest.every(isNumber) ? 'number' : undefined;
  const ofRest = given ?? inferred;
  const typed = ofRest === undefined ? {} : { type: ofRest };
  const orNull = (schema: JsonObject, isExact: boolean): EnumForm => ({
    fields: rest.length === values.length ? schema : { anyOf: [schema, { type: 'null' }] },
    isExact,
  });
  if (rest.length === 0) return { fields: { type: 'null' }, isExact: true };
  if (rest.every((value) => typeof value === 'boolean')) {
    return orNull({ type: 'boolean' }, new Set(rest).size === 2);
  }
  if (rest.every((value) => isNumber(value) || (typeof value === 'string' && value !== ''))) {
    return rest.length === values.length
      ? { fields: { enum: values }, isExact: true }
      : orNull({ ...typed, enum: rest }, true);
  }
  return isText ? orNull({ type: 'string' }, false) : { fields: {}, isExact: false };
}

/** Merges the schemas into one. Returns `undefined` when two of them contradict each other on a keyword. */
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
  // A closed object inside `allOf` forbids the properties of its siblings. No value would match, so it is ignored.
  return merged;
}

/** Rewrites one schema. `relaxed` collects the path of each constraint that the vendor cannot enforce. */
function relax(input: unknown, rules: Rules, path: string, relaxed: string[]): unknown {
  if (!isObject(input)) return input;
  const named = normalise(input, rules.resolve);
  const schema = withoutPatterns(named, rules);
  const walk = (inner: unknown, ...steps: readonly (string | number)[]): unknown =>
    relax(inner, rules, [path, ...steps].filter((step) => step !== '').join('.'), relaxed);
  const output: Record<string, unknown> = {};
  const hints: string[] = [];
  let enumFields: JsonObject = {};
  const drop = (keyword: string, value: unknown): void => {
    relaxed.push(path === '' ? keyword : `${path}.${keyword}`);
    // The model may follow a constraint that the vendor's grammar cannot enforce.
    if (!isObject(value)) hints.push(`${keyword}: ${JSON.stringify(value)}`);
  };
  if (schema !== named && isObject(named.patternProperties)) {
    drop('patternProperties', Object.keys(named.patternProperties));
  }

  for (const [keyword, value] of Object.entries(schema)) {
    // Vendors reject a `$ref` with sibling keywords other than `$defs`.
    if ('$ref' in schema && keyword !== '$ref' && keyword !== '$defs') {
      if (!annotations.has(keyword) && keyword !== 'description') drop(keyword, value);
    } else if (keyword === '$ref' && typeof value === 'string') {
      output.$ref = value.replace(/^#\/definitions\//, '#/$defs/');
    } else if (keyword === 'oneOf' && !rules.keywords.has('oneOf') && Array.isArray(value)) {
      // All vendors support the looser `anyOf`. It is equivalent when the branches exclude each other.
      output.anyOf = value.map((inner, index) => walk(inner, 'oneOf', index));
    } else if (keyword === 'const' && rules.constAsEnum) {
      Object.assign(output, constAsEnum(value));
    } else if (!rules.keywords.has(keyword)) {
      if (!constrainsNothing(keyword, value)) drop(keyword, value);
    } else if (keyword === 'enum' && Array.isArray(value)) {
      const { fields, isExact } = enumForm(value, schema.type, rules);
      enumFields = fields;
      if (!isExact) drop(keyword, value);
    } else if (schemaMaps.has(keyword)) {
      output[keyword] = mapValues(value, (inner, key) => walk(inner, keyword, key));
    } else if (schemaLists.has(keyword) && Array.isArray(value)) {
      output[keyword] = value.map((inner, index) => walk(inner, keyword, index));
    } else if (keyword === 'items') {
      output.items = walk(value, 'items');
    } else if (keyword === 'additionalProperties') {
      if (rules.closedObjects === 'all' && value !== false) drop(keyword, value);
      else output.additionalProperties = walk(value, 'additionalProperties');
    } else if (isRejected(keyword, value, rules)) {
      drop(keyword, value);
    } else {
      output[keyword] = value;
    }
  }
  if ('anyOf' in enumFields) delete output.type;
  Object.assign(output, enumFields);
  if (isObjectSchema(output) && isToClose(output, rules)) {
    Object.assign(output, { type: output.type ?? 'object', additionalProperties: false });
  }
  if (hints.length > 0 && !('$ref' in output)) {
    const description = typeof output.description === 'string' ? `${output.description}\n\n` : '';
    output.description = `${description}{${hints.join(', ')}}`;
  }
  return output;
}

function isToClose(schema: JsonObject, { closedObjects }: DialectRules): boolean {
  if (closedObjects !== 'unsaid') return closedObjects === 'all';
  return 'properties' in schema && !('additionalProperties' in schema);
}

/** Gemini's enums can contain only strings and numbers. */
function constAsEnum(value: unknown): JsonObject {
  if (value === null) return { type: 'null' };
  if (typeof value === 'boolean') return { type: 'boolean' };
  return { enum: [value] };
}

/**
 * Rewrites the schema in the vendor's dialect. Constraints that the vendor cannot enforce are removed, added to the
 * `description` for the model, and listed in `relaxed` by path. The caller must then check the answer against the
 * original schema. Annotations are removed without being listed. For OpenAI the schema is rewritten only if the result
 * works with `strict: true`. Otherwise only the keywords that OpenAI rejects are removed, for use with `strict: false`.
 */
export function relaxSchema(
  schema: JsonSchema,
  dialect: Dialect,
): { readonly schema: JsonSchema; readonly relaxed: readonly string[] } {
  const relaxed: string[] = [];
  const rules = { ...rulesByDialect[dialect], resolve: createResolver(schema) };
  const output = relax(schema, rules, '', relaxed);
  const result = isObject(output) ? output : schema;
  if (dialect === 'openai' && !isStrictCompatible(result)) {
    return guidanceSchema(schema);
  }
  return { schema: result, relaxed };
}
