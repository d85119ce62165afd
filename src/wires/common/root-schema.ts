import { rootKeywordsOf } from '../../internal/schema-root.ts';
import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import { isObject } from './read.ts';

/** More levels or schemas than this are not followed: references can make a small schema very large. */
const maxDepth = 16;
const maxSchemas = 500;

/** The longest description of alternatives that is sent, in characters. */
const maxWords = 2_000;

/** An object schema without references and unions at its root. */
type Flat = {
  readonly object: JsonObject;
  /** Whether it accepts exactly the same objects. */
  readonly isExact: boolean;
  /** What the schema no longer says, for the model. */
  readonly words: readonly string[];
};

/** The target of a local reference such as `#/$defs/A`. */
function resolve(root: JsonSchema, reference: string): unknown {
  if (!reference.startsWith('#')) return undefined;
  let target: unknown = root;
  for (const step of reference.split('/').slice(1)) {
    const name = decodeStep(step);
    if (!(isObject(target) || Array.isArray(target)) || !Object.hasOwn(target, name)) {
      return undefined;
    }
    target = Reflect.get(target, name);
  }
  return target;
}

function decodeStep(step: string): string {
  const unescaped = step.replaceAll('~1', '/').replaceAll('~0', '~');
  try {
    return decodeURIComponent(unescaped);
  } catch {
    return unescaped;
  }
}

function namesOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : [];
}

function propertiesOf({ properties }: JsonObject): JsonObject {
  return isObject(properties) ? properties : {};
}

function isClosedObject({ additionalProperties }: JsonObject): boolean {
  return additionalProperties === false;
}

/** Whether properties that it does not name may have any value. */
function isOpen({ additionalProperties = true }: JsonObject): boolean {
  return (
    additionalProperties === true ||
    (isObject(additionalProperties) && Object.keys(additionalProperties).length === 0)
  );
}

function isOfObjects({ type }: JsonObject): boolean {
  return type === undefined || type === 'object' || namesOf(type).includes('object');
}

/** The distinct schemas, compared as JSON. */
function distinct(schemas: readonly unknown[]): readonly unknown[] {
  const byJson = new Map(schemas.map((schema) => [JSON.stringify(schema), schema]));
  return [...byJson.values()];
}

/** The values of a `const` or an `enum` without other constraints than a type. */
function valuesOf(schema: unknown): readonly unknown[] | undefined {
  if (!isObject(schema)) return undefined;
  const { const: only, enum: several, type: _type, title, description, ...rest } = schema;
  if (Object.keys(rest).length > 0) return undefined;
  if ('const' in schema) return [only];
  return Array.isArray(several) ? several : undefined;
}

/** A schema that accepts what any of the schemas accepts. */
function eitherOf(schemas: readonly unknown[]): unknown {
  const all = distinct(schemas);
  if (all.length === 1) return all[0];
  const values = all.map(valuesOf);
  if (values.every((each) => each !== undefined)) {
    const types = distinct(all.map((each) => (isObject(each) ? each.type : undefined)));
    const type = types.length === 1 ? types[0] : undefined;
    return { ...(type !== undefined && { type }), enum: distinct(values.flat()) };
  }
  return { anyOf: all };
}

/** One alternative in words: `k = "a", x, y?`. */
function wordsFor({ object }: Flat): string {
  const required = namesOf(object.required);
  const { additionalProperties = false } = object;
  const others = additionalProperties === false ? [] : ['any other'];
  const named = Object.entries(propertiesOf(object)).map(([name, schema]) => {
    if (isObject(schema) && 'const' in schema) return `${name} = ${JSON.stringify(schema.const)}`;
    return required.includes(name) ? name : `${name}?`;
  });
  return `{ ${[...named, ...others].join(', ')} }`;
}

/** The union of object schemas as one: the properties of all, of which only those that all require are required. */
function unite(branches: readonly Flat[]): Flat {
  const [first, ...others] = branches;
  if (first === undefined) return { object: {}, isExact: false, words: [] };
  if (others.length === 0) return first;
  const schemas = new Map<string, unknown[]>();
  for (const { object } of branches) {
    for (const [name, schema] of Object.entries(propertiesOf(object))) {
      schemas.set(name, [...(schemas.get(name) ?? []), schema]);
    }
  }
  const isClosed = branches.every(({ object }) => isClosedObject(object));
  return {
    object: {
      properties: Object.fromEntries([...schemas].map(([name, each]) => [name, eitherOf(each)])),
      required: namesOf(first.object.required).filter((name) =>
        others.every(({ object }) => namesOf(object.required).includes(name)),
      ),
      ...(isClosed && { additionalProperties: false }),
    },
    isExact: false,
    words: [
      ...branches.flatMap(({ words }) => words),
      `Use one of these sets of properties: ${branches.map(wordsFor).join(' or ')}`,
    ],
  };
}

/** Both values of a property or of a keyword that two schemas constrain. */
function bothOf(one: unknown, other: unknown): unknown {
  return JSON.stringify(one) === JSON.stringify(other) ? one : { allOf: [one, other] };
}

/** Schemas that apply together as one. */
function combine(parts: readonly Flat[]): Flat {
  const [first, ...others] = parts;
  if (first === undefined || others.length === 0) {
    return first ?? { object: {}, isExact: true, words: [] };
  }
  const object: Record<string, unknown> = {};
  const properties: Record<string, unknown> = {};
  let isExact = parts.every((part) => part.isExact);
  for (const { object: part } of parts) {
    for (const [name, schema] of Object.entries(propertiesOf(part))) {
      const before = Object.hasOwn(properties, name) ? properties[name] : schema;
      Object.defineProperty(properties, name, {
        value: bothOf(before, schema),
        configurable: true,
        enumerable: true,
        writable: true,
      });
    }
    const { properties: _p, required: _r, additionalProperties: _a, ...rest } = part;
    for (const [keyword, value] of Object.entries(rest)) {
      if (!Object.hasOwn(object, keyword)) object[keyword] = value;
      else if (keyword !== 'description' && keyword !== 'title') {
        isExact &&= JSON.stringify(object[keyword]) === JSON.stringify(value);
      }
    }
  }
  // Closed parts would forbid each other's properties, which nobody means: all together are closed then.
  const withProperties = parts.filter((part) => 'properties' in part.object);
  const areClosed =
    withProperties.length > 0 && withProperties.every((part) => isClosedObject(part.object));
  const limiting = parts.filter((part) => !isOpen(part.object));
  const isCovered = limiting.every((part) =>
    Object.keys(properties).every((name) => Object.hasOwn(propertiesOf(part.object), name)),
  );
  const rules = distinct(limiting.map((part) => part.object.additionalProperties));
  isExact &&= areClosed || (isCovered && rules.length <= 1);
  const isClosed = areClosed || (isCovered && rules.includes(false));
  const free = parts.find((part) => isObject(part.object.additionalProperties));
  const required = [...new Set(parts.flatMap((part) => namesOf(part.object.required)))];
  return {
    object: {
      ...object,
      ...(Object.keys(properties).length > 0 && { properties }),
      ...(required.length > 0 && { required }),
      ...(isClosed && { additionalProperties: false }),
      ...(!isClosed && free && { additionalProperties: free.object.additionalProperties }),
    },
    isExact,
    words: parts.flatMap(({ words }) => words),
  };
}

/** Flattens the roots of one schema's alternatives and references. */
class Flattener {
  readonly #root: JsonSchema;
  #left = maxSchemas;

  constructor(root: JsonSchema) {
    this.#root = root;
  }

  /** `undefined` for a schema that accepts no object. */
  flatten(schema: unknown, references: readonly string[]): Flat | undefined {
    if (schema === true) return { object: {}, isExact: true, words: [] };
    if (!isObject(schema) || !isOfObjects(schema)) return undefined;
    this.#left -= 1;
    const { $ref, allOf, oneOf, anyOf, $defs, definitions, ...own } = schema;
    const parts: (Flat | undefined)[] = [{ object: own, isExact: true, words: [] }];
    if (typeof $ref === 'string') parts.push(this.#follow($ref, references));
    for (const each of Array.isArray(allOf) ? allOf : []) {
      parts.push(this.flatten(each, references));
    }
    for (const union of [oneOf, anyOf]) {
      if (!Array.isArray(union)) continue;
      const branches = union.map((each) => this.flatten(each, references));
      parts.push(unite(branches.filter((branch) => branch !== undefined)));
    }
    const known = parts.filter((part) => part !== undefined);
    return known.length === parts.length ? combine(known) : undefined;
  }

  #follow(reference: string, references: readonly string[]): Flat | undefined {
    const isTooFar = references.length >= maxDepth || this.#left <= 0;
    const target = resolve(this.#root, reference);
    if (isTooFar || references.includes(reference) || target === undefined) {
      const words = [`It must also fit ${JSON.stringify({ $ref: reference })}`];
      return { object: {}, isExact: false, words };
    }
    return this.flatten(target, [...references, reference]);
  }
}

/** The schema without the keywords that are rejected at its root, and these. */
function split(schema: JsonObject): readonly [rest: JsonObject, rejected: JsonObject] {
  const keywords = rootKeywordsOf(schema);
  const entries = Object.entries(schema);
  return [
    Object.fromEntries(entries.filter(([keyword]) => !keywords.includes(keyword))),
    Object.fromEntries(entries.filter(([keyword]) => keywords.includes(keyword))),
  ];
}

/** A root that contradicts itself, or that accepts no object. */
function inWords(schema: JsonSchema): Flat {
  const [object, rest] = split(schema);
  const words = [`It must also fit ${JSON.stringify(rest)}`];
  return { object, isExact: false, words };
}

/**
 * The schema of a tool's input with a plain object at its root, as most vendors require it. References and `allOf` are
 * resolved. A union becomes one object with the properties of all branches, which accepts more than the union: the
 * branches are then described in words, and the keywords listed in `relaxed`. What an open branch accepts beyond its own
 * properties is not in this schema, which is made to guide the model: inputs are checked against the original.
 */
export function withObjectRoot(schema: JsonSchema): {
  readonly schema: JsonSchema;
  readonly relaxed: readonly string[];
} {
  const found = rootKeywordsOf(schema);
  if (found.length === 0) return { schema, relaxed: [] };
  const flat = new Flattener(schema).flatten(schema, []) ?? inWords(schema);
  const [object, lost] = split(flat.object);
  const hasLost = Object.keys(lost).length > 0;
  const words = [...flat.words, ...(hasLost ? [`It must also fit ${JSON.stringify(lost)}`] : [])];
  const description = [object.description, words.join('. ').slice(0, maxWords)].filter(Boolean);
  const { $defs, definitions } = schema;
  return {
    schema: {
      ...object,
      type: 'object',
      properties: propertiesOf(object),
      ...($defs !== undefined && { $defs }),
      ...(definitions !== undefined && { definitions }),
      ...(description.length > 0 && { description: description.join('\n\n') }),
    },
    relaxed: flat.isExact && !hasLost ? [] : found,
  };
}

/** The schemas inside a schema, without those that a reference names. */
function* inner(schema: unknown): Generator<JsonObject> {
  const stack = [schema];
  while (stack.length > 0) {
    const next = stack.pop();
    if (Array.isArray(next)) stack.push(...next);
    else if (isObject(next)) {
      yield next;
      const { $defs: _defs, definitions: _definitions, enum: _enum, const: _const, ...rest } = next;
      stack.push(...Object.values(rest));
    }
  }
}

/** Whether a schema refers to itself, at any depth. */
export function isRecursive(schema: JsonSchema): boolean {
  const done = new Set<unknown>();
  const open = new Set<unknown>();
  const visit = (target: unknown): boolean => {
    if (open.has(target)) return true;
    if (done.has(target) || !isObject(target)) return false;
    open.add(target);
    for (const { $ref } of inner(target)) {
      if (typeof $ref === 'string' && visit(resolve(schema, $ref))) return true;
    }
    open.delete(target);
    done.add(target);
    return false;
  };
  return visit(schema);
}

/**
 * Resolves references to schemas that do not refer to themselves; `undefined` for others, and after
 * {@link maxSchemas} of them.
 */
export function createResolver(root: JsonSchema): (reference: string) => JsonObject | undefined {
  const { $defs, definitions } = root;
  let left = maxSchemas;
  return (reference) => {
    const target = resolve(root, reference);
    left -= 1;
    const isUsable = left >= 0 && isObject(target) && target !== root;
    if (!isUsable || isRecursive({ $ref: reference, $defs, definitions })) return undefined;
    return target;
  };
}
