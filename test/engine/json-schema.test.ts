import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  checkAgainst,
  isStandardSchema,
  toJsonSchema,
  validatorOf,
} from '../../src/engine/core/json-schema.ts';
import type { StandardIssue, StandardSchema } from '../../src/protocol/standard-schema.ts';

const withIssues = (issues: readonly StandardIssue[]): StandardSchema => ({
  '~standard': { version: 1, vendor: 'mine', validate: () => ({ issues }) },
});

describe('toJsonSchema', () => {
  test('returns plain JSON Schema unchanged', () => {
    const schema = { type: 'object' };
    expect(toJsonSchema(schema, 'schema')).toBe(schema);
  });

  test('converts the input side of a Standard Schema, without $schema', () => {
    const schema = z.object({ n: z.string().transform(Number), m: z.number().default(1) });
    expect(toJsonSchema(schema, 'schema')).toEqual({
      type: 'object',
      properties: { n: { type: 'string' }, m: { type: 'number', default: 1 } },
      required: ['n'],
    });
  });

  test('throws with the path and vendor of a schema that has no JSON Schema', () => {
    expect(() => toJsonSchema(withIssues([]), 'tools[1].inputSchema')).toThrow(
      'tools[1].inputSchema: this mine schema has no JSON Schema form',
    );
  });
});

describe('toJsonSchema throws for an object of a validation library without Standard Schema', () => {
  class Old {
    safeParse(): void {}
  }

  test.each([
    ['parse', { parse: () => ({}) }],
    ['validate', { type: 'object', validate: () => true }],
    ['safeParse', new Old()],
  ])('that has %s', (method, schema) => {
    expect(() => toJsonSchema(schema as never, 'schema')).toThrow(
      `schema: has a function "${method}", but is not a Standard Schema; use a version of its library`,
    );
  });
});

describe('checkAgainst', () => {
  test('returns the parsed value', async () => {
    expect(await checkAgainst(z.coerce.number(), '5')).toEqual({ ok: true, value: 5 });
    const asynchronous = z.string().refine(async (text) => text === 'x');
    expect(await checkAgainst(asynchronous, 'x')).toEqual({ ok: true, value: 'x' });
  });

  test('lists every issue with its path', async () => {
    const schema = withIssues([
      { message: 'is wrong' },
      { message: 'is missing', path: ['a', 0, { key: 'b' }] },
    ]);
    expect(await checkAgainst(schema, 1)).toEqual({
      ok: false,
      issues: 'is wrong; a.0.b: is missing',
    });
  });
});

describe('validatorOf', () => {
  test('returns a Standard Schema unchanged', () => {
    const schema = z.string();
    expect(validatorOf(schema, 'schema')).toBe(schema);
    expect(isStandardSchema(schema)).toBe(true);
    expect(isStandardSchema({ type: 'string' })).toBe(false);
  });

  test.each<[Record<string, unknown>, unknown, unknown]>([
    [{ type: 'integer', minimum: 1 }, 1, 0],
    [{ enum: ['a', 'b'] }, 'a', 'c'],
    [{ type: ['string', 'null'] }, null, 5],
    [{ anyOf: [{ type: 'string' }, { type: 'number' }] }, 5, true],
    [{ type: 'array', items: { type: 'string' } }, ['a'], [1]],
    [{ $ref: '#/$defs/n', $defs: { n: { type: 'number' } } }, 5, 'x'],
    [{ type: 'string', format: 'date-time' }, '2026-01-01T00:00:00+02:00', 'today'],
    [{ $ref: '#/definitions/n', definitions: { n: { type: 'number' } } }, 5, 'x'],
    [{ type: 'object', required: ['a'] }, { a: null }, {}],
    [{ properties: { a: { type: 'string' } } }, { a: 'x' }, { a: 5 }],
    [{ type: 'object', oneOf: [{ required: ['a'] }, { required: ['b'] }] }, { a: 1 }, {}],
    [{ type: 'object', anyOf: [{ required: ['a'] }, { required: ['b'] }] }, { b: 1 }, {}],
    [{ type: ['object', 'null'], anyOf: [{ required: ['a'] }] }, null, {}],
    [
      {
        oneOf: [{ $ref: '#/$defs/a' }, { properties: { k: { const: 'b' } }, required: ['k'] }],
        $defs: { a: { properties: { k: { const: 'a' } }, required: ['k'] } },
      },
      { k: 'a' },
      { k: 'c' },
    ],
  ])('validates %j', async (schema, good, bad) => {
    const validator = validatorOf(schema, 'schema');
    expect(await checkAgainst(validator, good)).toMatchObject({ ok: true });
    expect(await checkAgainst(validator, bad)).toMatchObject({ ok: false });
  });
});
