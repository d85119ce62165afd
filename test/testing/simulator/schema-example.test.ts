import { expect, test } from 'vitest';
import { schemaExample } from '../../../src/testing/simulator/schema-example.ts';

test.each([
  ['a constant', { const: 7 }, 7],
  ['the first of an enumeration', { enum: ['a', 'b'] }, 'a'],
  ['a nullable type', { type: ['null', 'string'] }, 'text'],
  ['an option that is not null', { anyOf: [{ type: 'null' }, { type: 'boolean' }] }, true],
  [
    'Gemini’s upper-case types',
    { type: 'OBJECT', properties: { n: { type: 'NUMBER' } } },
    { n: 1 },
  ],
  ['a format', { type: 'string', format: 'email' }, 'someone@example.com'],
  ['a minimum length', { type: 'string', minLength: 6 }, 'textxx'],
  ['a maximum length', { type: 'string', maxLength: 2 }, 'te'],
  ['a minimum', { type: 'integer', minimum: 5 }, 5],
  ['an exclusive minimum', { type: 'integer', exclusiveMinimum: 5 }, 6],
  ['a multiple', { type: 'number', minimum: 7, multipleOf: 5 }, 10],
  ['a negative range', { type: 'integer', maximum: -3 }, -3],
  ['a number of items', { type: 'array', minItems: 2, items: { type: 'boolean' } }, [true, true]],
  ['a tuple', { type: 'array', prefixItems: [{ const: 1 }, { const: 'x' }] }, [1, 'x']],
  [
    'only required properties',
    { type: 'object', properties: { a: { const: 1 }, b: { const: 2 } }, required: ['b'] },
    { b: 2 },
  ],
  [
    'allOf',
    {
      allOf: [
        { properties: { a: { const: 1 } }, required: ['a'] },
        { properties: { b: { const: 2 } }, required: ['b'] },
      ],
    },
    { a: 1, b: 2 },
  ],
  [
    'a reference',
    { $ref: '#/$defs/city', $defs: { city: { type: 'string', enum: ['Bern'] } } },
    'Bern',
  ],
])('fits %s', (_what, schema, expected) => {
  expect(schemaExample(schema)).toEqual(expected);
});

test('ends for a recursive schema', () => {
  const node = {
    properties: { next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
    required: ['next'],
  };
  expect(JSON.stringify(schemaExample(node))).toMatch(/^(\{"next":)+null\}+$/);
});
