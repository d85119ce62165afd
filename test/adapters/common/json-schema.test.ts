import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { JsonSchema } from '../../../src/protocol/json.ts';
import {
  guidanceSchema,
  isStrictCompatible,
  relaxSchema,
} from '../../../src/wires/common/json-schema.ts';

const person: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 2, description: 'Full name' },
    age: { type: 'integer', minimum: 18, maximum: Number.MAX_SAFE_INTEGER },
    kind: { const: 'person' },
    tags: { type: 'array', items: { type: 'string' }, minItems: 2, maxItems: 3 },
  },
  required: ['name', 'age', 'kind', 'tags'],
  additionalProperties: false,
};

describe('relaxSchema', () => {
  it('moves what Anthropic cannot enforce into the description and lists it', () => {
    const { schema, relaxed } = relaxSchema(person, 'anthropic');
    expect(schema).toEqual({
      type: 'object',
      properties: {
        name: { type: 'string', description: 'Full name\n\n{minLength: 2}' },
        age: { type: 'integer', description: '{minimum: 18}' },
        kind: { const: 'person' },
        tags: {
          type: 'array',
          items: { type: 'string' },
          description: '{minItems: 2, maxItems: 3}',
        },
      },
      required: ['name', 'age', 'kind', 'tags'],
      additionalProperties: false,
    });
    expect(relaxed).toEqual([
      'properties.name.minLength',
      'properties.age.minimum',
      'properties.tags.minItems',
      'properties.tags.maxItems',
    ]);
  });

  it('closes every object for Anthropic, and lists a lost record', () => {
    const { schema, relaxed } = relaxSchema(
      {
        type: 'object',
        properties: { open: { additionalProperties: { type: 'number' }, type: 'object' } },
      },
      'anthropic',
    );
    expect(schema).toEqual({
      type: 'object',
      properties: { open: { type: 'object', additionalProperties: false } },
      additionalProperties: false,
    });
    expect(relaxed).toEqual(['properties.open.additionalProperties']);
  });

  it('writes const as an enum of one for Gemini, and null and booleans as their types', () => {
    const { schema, relaxed } = relaxSchema(
      { anyOf: [{ const: 'a' }, { const: null }, { const: true }] },
      'gemini',
    );
    expect(schema).toEqual({ anyOf: [{ enum: ['a'] }, { type: 'null' }, { type: 'boolean' }] });
    expect(relaxed).toEqual([]);
  });

  it('keeps the bounds that Gemini supports and drops patterns', () => {
    const { schema, relaxed } = relaxSchema(
      { type: 'string', pattern: '^a', minItems: 5, minimum: 3 },
      'gemini',
    );
    expect(schema).toEqual({
      type: 'string',
      minItems: 5,
      minimum: 3,
      description: '{pattern: "^a"}',
    });
    expect(relaxed).toEqual(['pattern']);
  });

  it('moves definitions to $defs and removes sibling keywords of references', () => {
    const { schema } = relaxSchema(
      {
        type: 'object',
        properties: { home: { $ref: '#/definitions/place', description: 'Where' } },
        definitions: { place: { type: 'string' } },
      },
      'gemini',
    );
    expect(schema).toEqual({
      type: 'object',
      properties: { home: { $ref: '#/$defs/place' } },
      $defs: { place: { type: 'string' } },
    });
  });

  it('merges allOf of plain objects into one', () => {
    const { schema, relaxed } = relaxSchema(
      {
        allOf: [
          { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
          { type: 'object', properties: { b: { type: 'number' } }, required: ['b'] },
        ],
      },
      'gemini',
    );
    expect(schema).toEqual({
      type: 'object',
      properties: { a: { type: 'string' }, b: { type: 'number' } },
      required: ['a', 'b'],
    });
    expect(relaxed).toEqual([]);
  });

  it('lists a contradictory allOf instead of merging it', () => {
    const { relaxed } = relaxSchema({ allOf: [{ type: 'string' }, { type: 'number' }] }, 'gemini');
    expect(relaxed).toEqual(['allOf']);
  });

  it('rewrites a schema for OpenAI when the result is enforceable', () => {
    const { schema, relaxed } = relaxSchema(person, 'openai');
    expect(isStrictCompatible(schema)).toBe(true);
    expect(relaxed).toEqual(['properties.name.minLength']);
  });

  it('keeps the whole schema for OpenAI when it cannot be enforced', () => {
    const open: JsonSchema = {
      $schema: 'x',
      type: 'object',
      properties: { name: { type: 'string', minLength: 2 } },
    };
    const { $schema, ...whole } = open;
    expect(relaxSchema(open, 'openai')).toEqual({ schema: whole, relaxed: [] });
  });

  it('keeps properties named like keywords', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: { pattern: { type: 'string' }, propertyNames: { type: 'string' } },
    };
    expect(relaxSchema(schema, 'gemini')).toEqual({ schema, relaxed: [] });
    expect(guidanceSchema(schema)).toEqual({ schema, relaxed: [] });
  });

  it('rewrites the discriminated unions of zod', () => {
    const schema = z.toJSONSchema(
      z.object({
        shape: z.discriminatedUnion('kind', [
          z.object({ kind: z.literal('circle'), radius: z.number() }),
          z.object({ kind: z.literal('square'), side: z.int() }),
        ]),
        email: z.email().nullable(),
      }),
    );
    const fitted = relaxSchema({ ...schema }, 'openai');
    expect(isStrictCompatible(fitted.schema)).toBe(true);
  });
});

describe('isStrictCompatible', () => {
  const closed = { type: 'object', properties: {}, required: [], additionalProperties: false };

  it('requires an object at the root', () => {
    expect(isStrictCompatible(closed)).toBe(true);
    expect(isStrictCompatible({ type: 'array', items: { type: 'string' } })).toBe(false);
    expect(isStrictCompatible({ ...closed, anyOf: [closed] })).toBe(false);
  });

  it('requires every property and closed objects at every depth', () => {
    const inner = {
      type: 'object',
      properties: { a: { type: 'string' } },
      additionalProperties: false,
    };
    const outer = (property: unknown): JsonSchema => ({
      ...closed,
      properties: { inner: property },
      required: ['inner'],
    });
    expect(isStrictCompatible(outer({ ...inner, required: ['a'] }))).toBe(true);
    expect(isStrictCompatible(outer(inner))).toBe(false);
    expect(isStrictCompatible(outer({ anyOf: [inner, { type: 'null' }] }))).toBe(false);
    expect(isStrictCompatible({ ...outer({ $ref: '#/$defs/inner' }), $defs: { inner } })).toBe(
      false,
    );
  });

  it('rejects unknown keywords, lookaround and empty schemas', () => {
    const of = (property: unknown): JsonSchema => ({
      ...closed,
      properties: { p: property },
      required: ['p'],
    });
    expect(isStrictCompatible(of({ type: 'string', pattern: '^a+$' }))).toBe(true);
    expect(isStrictCompatible(of({ type: 'string', pattern: '^(?!b)a' }))).toBe(false);
    expect(isStrictCompatible(of({ type: 'string', format: 'uri' }))).toBe(false);
    expect(isStrictCompatible(of({ type: 'string', minLength: 1 }))).toBe(false);
    expect(isStrictCompatible(of({}))).toBe(false);
    expect(isStrictCompatible(of(true))).toBe(false);
  });
});

describe('guidanceSchema', () => {
  it('removes propertyNames, and lists it unless it constrains nothing', () => {
    const record = (names: unknown): JsonSchema => ({
      type: 'object',
      propertyNames: names,
      additionalProperties: { type: 'number' },
    });
    const bare = { type: 'object', additionalProperties: { type: 'number' } };
    expect(guidanceSchema(record({ type: 'string' }))).toEqual({ schema: bare, relaxed: [] });
    expect(guidanceSchema(record({ enum: ['a'] }))).toEqual({
      schema: bare,
      relaxed: ['propertyNames'],
    });
  });
});
