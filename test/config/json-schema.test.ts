import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { routingSchema } from '../../src/config/schema.ts';

const schema = configJsonSchema() as { readonly properties: object; readonly $defs: object };
const validator = z.fromJSONSchema(schema as z.core.JSONSchema.JSONSchema);

const tiers = { fast: ['openai/m'] };

describe('the JSON Schema of the configuration', () => {
  it('has every option of the configuration', () => {
    expect(Object.keys(schema.properties)).toEqual([
      '$schema',
      'env',
      'providers',
      'evals',
      ...Object.keys(routingSchema.shape),
    ]);
  });

  it.each([
    ['a list of targets', { tiers }],
    ['targets with options', { tiers: { fast: [{ target: 'openai/m', weight: 2 }] } }],
    ['a tier with options', { tiers: { fast: { targets: ['openai/m'], strategy: 'cheapest' } } }],
    ['providers of a command', { tiers, providers: { openai: { type: 'openai', apiKey: '$' } } }],
    ['data for editors', { $schema: './schema.json', env: ['HOME'], tiers }],
    [
      'options of the vendor',
      { tiers, defaults: { providerOptions: { openai: { a: [{ b: null }] } } } },
    ],
  ])('accepts %s', (_, document) => {
    expect(validator.safeParse(document).error).toBeUndefined();
  });

  it.each([
    ['no tiers', {}],
    ['an unknown option', { tiers, tirs: {} }],
    ['an unknown option of a tier', { tiers: { fast: { targets: ['openai/m'], stratgy: 'x' } } }],
    ['an unknown option of a target', { tiers: { fast: [{ target: 'openai/m', wieght: 2 }] } }],
    ['a target without a provider', { tiers: { fast: ['m'] } }],
    ['a tier without targets', { tiers: { fast: [] } }],
    ['a wrong type', { tiers, tags: { a: 1 } }],
  ])('rejects %s', (_, document) => {
    expect(validator.safeParse(document).success).toBe(false);
    expect(routingSchema.safeParse(document).success).toBe(false);
  });
});
