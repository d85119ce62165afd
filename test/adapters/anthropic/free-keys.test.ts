import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { anthropic } from '../../../src/anthropic.ts';
import { createRouter } from '../../../src/router.ts';
import { simulateProviders } from '../../../src/testing/simulate-providers.ts';
import { hasFreeKeys } from '../../../src/wires/anthropic/request.ts';

const plain = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input' });

describe('schemas with free keys', () => {
  it.each([
    ['a map', z.record(z.string(), z.number())],
    ['a map in an object', z.object({ scores: z.record(z.string(), z.number()) })],
    ['a map in a list', z.object({ rows: z.array(z.record(z.string(), z.string())) })],
    ['a map among choices', z.object({ x: z.union([z.string(), z.record(z.string(), z.any())]) })],
    ['an object that takes more', z.looseObject({ a: z.string() }).catchall(z.number())],
  ])('are recognised in %s', (_, schema) => {
    expect(hasFreeKeys(plain(schema))).toBe(true);
  });

  it.each([
    ['an object', z.object({ a: z.string(), b: z.array(z.object({ c: z.number() })) })],
    ['a strict object', z.strictObject({ a: z.enum(['x', 'y']).optional() })],
    ['properties named like keywords', z.object({ type: z.string(), properties: z.string() })],
    ['defaults that are objects', z.object({ a: z.object({ b: z.string() }).default({ b: 'x' }) })],
  ])('are not recognised in %s', (_, schema) => {
    expect(hasFreeKeys(plain(schema))).toBe(false);
  });

  it('are sent in the prompt, and the answer is checked', async () => {
    const simulators = await simulateProviders();
    simulators.anthropic.answer('{"scores":{"ann":1}}');
    const { baseURL } = simulators.anthropic;
    const router = createRouter({
      providers: { a: anthropic({ apiKey: 'test-key', baseURL }) },
      tiers: { t: ['a/claude-sonnet-4-6'] },
    });
    const schema = z.object({ scores: z.record(z.string(), z.number()) });
    const { object, warnings } = await router.complete('t', 'scores?', { schema });
    expect(object.scores).toEqual({ ann: 1 });
    expect(warnings.map(({ code }) => code)).toEqual(['schema-relaxed']);
    const body = simulators.anthropic.log[0]?.body;
    expect(body?.output_config).toBeUndefined();
    expect(JSON.stringify(body?.system)).toContain('JSON Schema');
    await simulators.close();
  });
});
