import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { toJsonSchema } from '../../../src/engine/core/json-schema.ts';
import { adaptOutput, adaptTool } from '../../../src/wires/openai-shared/schema.ts';

const output = (schema: z.ZodType) =>
  adaptOutput({ name: 'answer', schema: toJsonSchema(schema, 'schema') });
const tool = (schema: z.ZodType) =>
  adaptTool({ name: 'look', inputSchema: toJsonSchema(schema, 'tools'), strict: true });

describe('a schema without additionalProperties', () => {
  const city = z.object({
    name: z.string(),
    mayor: z.object({ name: z.string() }),
    streets: z.array(z.object({ name: z.string() })),
    kind: z.discriminatedUnion('of', [
      z.object({ of: z.literal('town'), size: z.int() }),
      z.object({ of: z.literal('village') }),
    ]),
  });

  it('is closed at every level, so that it is enforced', () => {
    const { format, warnings } = output(city);
    expect(format?.strict).toBe(true);
    expect(JSON.stringify(format?.schema).match(/"additionalProperties":false/g)).toHaveLength(5);
    expect(warnings).toEqual([]);
  });

  it('is enforced for a tool too', () => {
    const { tool: adapted, warnings } = tool(city);
    expect(adapted.strict).toBe(true);
    expect(warnings).toEqual([]);
  });
});

describe('a schema that the vendor cannot enforce', () => {
  it.each<[string, z.ZodType]>([
    ['optional properties', z.object({ name: z.string().optional() })],
    ['a map', z.object({ byName: z.record(z.string(), z.number()) })],
    ['an open object', z.looseObject({ name: z.string() })],
  ])('because of %s is sent unchanged, with a warning', (_, schema) => {
    const { format, warnings } = output(schema);
    expect(format?.strict).toBe(false);
    expect(Object.keys(format?.schema ?? {})).toEqual(Object.keys(toJsonSchema(schema, 'schema')));
    expect(warnings).toMatchObject([{ code: 'schema-relaxed', param: 'schema' }]);
    expect(tool(schema)).toMatchObject({
      tool: { strict: false },
      warnings: [{ code: 'schema-relaxed', param: 'tools.look' }],
    });
  });
});
