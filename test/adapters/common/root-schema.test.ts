import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Warning } from '../../../src/protocol/completion.ts';
import type { JsonObject, JsonSchema } from '../../../src/protocol/json.ts';
import { toWireRequest as anthropicRequest } from '../../../src/wires/anthropic/request.ts';
import { relaxSchema } from '../../../src/wires/common/json-schema.ts';
import { isRecursive, withObjectRoot } from '../../../src/wires/common/root-schema.ts';
import { toWireRequest as geminiRequest } from '../../../src/wires/gemini/request.ts';
import { openAIDialect } from '../../../src/wires/openai-chat/dialect.ts';
import { chatBody } from '../../../src/wires/openai-chat/request.ts';
import { responsesBody } from '../../../src/wires/openai-responses/request.ts';
import { requestOf } from '../../support/provider-calls.ts';

const branch = (k: string, more: JsonObject = {}): JsonObject => ({
  type: 'object',
  properties: { k: { const: k }, x: { type: 'string' }, ...more },
  required: ['k', 'x'],
});
const $defs = { A: branch('a'), B: branch('b') };
const refA = { $ref: '#/$defs/A' };

/** JSON Schema as it is defined, for the few keywords of a test. */
function accepts(schema: unknown, value: unknown, root: JsonSchema): boolean {
  if (typeof schema === 'boolean') return schema;
  const {
    type,
    const: only,
    properties,
    required,
    additionalProperties,
    ...rest
  } = schema as Record<string, JsonObject>;
  const has = (each: unknown) => accepts(each, value, root);
  const lists = rest as unknown as Record<string, readonly unknown[] | undefined>;
  if (typeof rest.$ref === 'string') {
    const name = String(rest.$ref).slice('#/$defs/'.length);
    if (!has((root.$defs as JsonObject)[name])) return false;
  }
  if (lists.allOf?.every(has) === false || lists.anyOf?.some(has) === false) return false;
  if (lists.oneOf !== undefined && lists.oneOf.filter(has).length !== 1) return false;
  if (only !== undefined && only !== value) return false;
  if (type !== undefined && String(type) !== typeof value) return false;
  if (typeof value !== 'object' || value === null) return true;
  const names = (required ?? []) as unknown as readonly string[];
  return (
    names.every((name) => name in value) &&
    Object.entries(value).every(([name, each]) =>
      accepts(properties?.[name] ?? additionalProperties ?? true, each, root),
    )
  );
}

type Sent = { readonly schema: JsonObject | undefined; readonly warnings: readonly Warning[] };
type Tool = Record<string, JsonObject> | undefined;

/** The schema of a tool as each wire sends it. */
const wires: Record<string, (inputSchema: JsonSchema) => Sent> = {
  chat(inputSchema) {
    const request = requestOf({ model: 'gpt-4o', tools: [{ name: 'act', inputSchema }] });
    const { body, warnings } = chatBody(request, openAIDialect('gpt-4o'));
    const [tool] = body.tools as readonly Tool[];
    return { schema: tool?.function?.parameters as JsonObject, warnings };
  },
  responses(inputSchema) {
    const request = requestOf({ model: 'gpt-5.4', tools: [{ name: 'act', inputSchema }] });
    const { body, warnings } = responsesBody(request);
    const [tool] = body.tools as readonly Tool[];
    return { schema: tool?.parameters, warnings };
  },
  anthropic(inputSchema) {
    const request = requestOf({ model: 'claude-sonnet-5', tools: [{ name: 'act', inputSchema }] });
    const { body, warnings } = anthropicRequest(request, false);
    const [tool] = body.tools as readonly Tool[];
    return { schema: tool?.input_schema, warnings };
  },
  gemini(inputSchema) {
    const tools = [{ name: 'act', inputSchema }];
    const request = requestOf({ model: 'gemini-3-flash-preview', tools });
    const { body, warnings } = geminiRequest(request);
    const [group] = body.tools as readonly Record<string, readonly JsonObject[]>[];
    return {
      schema: group?.functionDeclarations?.[0]?.parametersJsonSchema as JsonObject | undefined,
      warnings,
    };
  },
};

describe.each(Object.entries(wires))("the root of a tool's schema on the wire %s", (_, send) => {
  it.each<[string, JsonSchema, boolean]>([
    ['oneOf', { oneOf: [branch('a'), branch('b')] }, true],
    ['anyOf next to a type', { type: 'object', anyOf: [branch('a'), branch('b')] }, true],
    ['a union of references', { oneOf: [refA, { $ref: '#/$defs/B' }], $defs }, true],
    [
      'a union inside a union',
      { anyOf: [{ oneOf: [branch('a'), branch('b')] }, branch('c')] },
      true,
    ],
    [
      'a union next to properties',
      { properties: { y: {} }, oneOf: [branch('a'), branch('b')] },
      true,
    ],
    ['a union with null', { anyOf: [branch('a'), { type: 'null' }] }, false],
    ['a reference', { ...refA, $defs }, false],
    ['a reference to definitions', { $ref: '#/definitions/A', definitions: $defs }, false],
    ['allOf of references', { allOf: [refA], $defs }, false],
    ['allOf', { allOf: [branch('a'), { properties: { y: { type: 'string' } } }] }, false],
    ['a negation', { ...branch('a'), not: { required: ['z'] } }, true],
    ['a reference that does not exist', { $ref: '#/$defs/none', $defs }, true],
    ['a reference to itself', { $ref: '#' }, true],
  ])('is a plain object instead of %s', (_name, schema, isRelaxed) => {
    const sent = send(schema);
    const keywords = Object.keys(sent.schema ?? {});
    for (const rejected of ['oneOf', 'anyOf', 'allOf', '$ref', 'enum', 'const', 'not']) {
      expect(keywords).not.toContain(rejected);
    }
    const isKnown = JSON.stringify(sent.schema?.properties ?? {}).includes('"x"');
    const isWarned = sent.warnings.some(({ code }) => code === 'schema-relaxed');
    expect(isKnown || isWarned).toBe(true);
    expect(isWarned).toBe(isRelaxed);
  });

  it('has the free keys of a map', () => {
    const { schema } = send({ type: 'object', additionalProperties: { type: 'string' } });
    expect(schema?.additionalProperties).toEqual({ type: 'string' });
  });
});

describe('withObjectRoot', () => {
  it('describes the branches of a union in words', () => {
    const { schema } = withObjectRoot({ oneOf: [branch('a'), branch('b', { y: {} })] });
    expect(schema).toMatchObject({
      type: 'object',
      properties: { k: { enum: ['a', 'b'] }, x: { type: 'string' }, y: {} },
      required: ['k', 'x'],
    });
    expect(schema.description).toBe(
      'Use one of these sets of properties: { k = "a", x } or { k = "b", x, y? }',
    );
  });

  it('is closed only if all branches are', () => {
    const closed = { ...branch('a'), additionalProperties: false };
    expect(withObjectRoot({ anyOf: [closed, closed] }).schema.additionalProperties).toBe(false);
    expect(withObjectRoot({ anyOf: [closed, branch('b')] }).schema).not.toHaveProperty(
      'additionalProperties',
    );
  });

  it('returns other schemas unchanged', () => {
    const schema = branch('a');
    expect(withObjectRoot(schema)).toEqual({ schema, relaxed: [] });
  });

  it('accepts every object that a union of closed objects accepts', () => {
    const leaf = fc.constantFrom<JsonObject>(
      { type: 'string' },
      { type: 'number' },
      { const: 'a' },
    );
    const object = fc.dictionary(fc.constantFrom('a', 'b', 'c'), leaf).chain((properties) =>
      fc.subarray(Object.keys(properties)).map((required) => ({
        type: 'object',
        properties,
        required,
        additionalProperties: false,
      })),
    );
    const schemas = fc
      .array(object, { minLength: 1, maxLength: 3 })
      .chain((branches) =>
        fc.constantFrom<JsonSchema>(
          { oneOf: branches },
          { anyOf: [...branches, { type: 'null' }] },
          { $ref: '#/$defs/A', $defs: { A: { anyOf: branches } } },
        ),
      );
    const values = fc.dictionary(
      fc.constantFrom('a', 'b', 'c', 'd'),
      fc.constantFrom<unknown>('a', 'x', 1, null),
    );
    fc.assert(
      fc.property(schemas, values, (schema, value) => {
        const flat = z.fromJSONSchema(withObjectRoot(schema).schema);
        if (z.fromJSONSchema(schema).safeParse(value).success) {
          expect(flat.safeParse(value).success).toBe(true);
        }
      }),
    );
  });

  it('has the words of a branch that expects any other property', () => {
    const map = { type: 'object', additionalProperties: { type: 'string' } };
    const { schema } = withObjectRoot({ anyOf: [branch('a'), map] });
    expect(schema.description).toContain('{ k = "a", x } or { any other }');
  });

  it('relaxes nothing only if the same objects are accepted, whether parts are open or closed', () => {
    const rule = fc.constantFrom<unknown>(true, false, { type: 'number' });
    const part = fc
      .record({
        names: fc.subarray(['a', 'b', 'c']),
        required: fc.subarray(['a', 'b', 'c']),
        additionalProperties: rule,
      })
      .map(
        ({ names, required, additionalProperties }): JsonObject => ({
          type: 'object',
          properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
          required,
          additionalProperties,
        }),
      );
    const parts = fc.array(part, { minLength: 1, maxLength: 3 });
    const schemas = fc.oneof(
      parts.map((allOf): JsonSchema => ({ allOf })),
      parts.map((anyOf): JsonSchema => ({ anyOf: [...anyOf, { type: 'null' }] })),
      fc.tuple(part, parts).map(([own, oneOf]): JsonSchema => ({ ...own, oneOf })),
      fc
        .tuple(part, part)
        .map(([A, own]): JsonSchema => ({ ...own, $ref: '#/$defs/A', $defs: { A } })),
    );
    const values = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('x', 1));
    fc.assert(
      fc.property(schemas, values, (schema, value) => {
        const flat = withObjectRoot(schema);
        // Schemas that are all closed are closed together.
        const isClosed = !/"additionalProperties":(?!false)/.test(JSON.stringify(schema));
        fc.pre(flat.relaxed.length === 0 && !isClosed);
        expect(accepts(flat.schema, value, schema)).toBe(accepts(schema, value, schema));
      }),
      { numRuns: 1_000, seed: 1 },
    );
  });

  it('takes time in proportion to a schema whose references multiply', () => {
    const defs: Record<string, JsonObject> = { d0: branch('a') };
    for (let n = 1; n < 40; n++) {
      const $ref = `#/$defs/d${n - 1}`;
      defs[`d${n}`] = { anyOf: [{ $ref }, { $ref }], allOf: [{ $ref }, { $ref }] };
    }
    const schema = { $ref: '#/$defs/d39', $defs: defs };
    const before = performance.now();
    withObjectRoot(schema);
    relaxSchema({ type: 'object', properties: { a: schema }, $defs: defs }, 'gemini');
    expect(performance.now() - before).toBeLessThan(2_000);
  });
});

describe('isRecursive', () => {
  const node = { type: 'object', properties: { next: { $ref: '#/$defs/N' } } };
  it.each<[JsonSchema, boolean]>([
    [{ $ref: '#/$defs/N', $defs: { N: node } }, true],
    [{ type: 'object', properties: { self: { $ref: '#' } } }, true],
    [{ type: 'object', properties: { a: refA, b: refA }, $defs }, false],
    [{ type: 'object', properties: {}, $defs: { N: node } }, false],
  ])('of %j is %s', (schema, expected) => {
    expect(isRecursive(schema)).toBe(expected);
  });

  it('makes Anthropic get the schema in the prompt', () => {
    const schema = { $ref: '#/$defs/N', $defs: { N: node } };
    const output = { name: 'answer', schema };
    const { body, warnings } = anthropicRequest(
      requestOf({ model: 'claude-sonnet-5', output }),
      false,
    );
    expect(body.output_config).toBeUndefined();
    expect(JSON.stringify(body.system)).toContain('$defs');
    expect(warnings).toMatchObject([{ code: 'schema-relaxed', param: 'schema' }]);
    const tools = [{ name: 'act', inputSchema: schema, strict: true }];
    const strict = anthropicRequest(requestOf({ model: 'claude-sonnet-5', tools }), false);
    expect(JSON.stringify(strict.body.tools)).not.toContain('"strict"');
    expect(strict.warnings).toMatchObject([{ param: 'tools.strict' }]);
  });
});

describe('the root of the schema of an answer', () => {
  const request = (schema: JsonSchema) =>
    chatBody(
      requestOf({ model: 'gpt-4o', output: { name: 'a', schema } }),
      openAIDialect('gpt-4o'),
    );
  const closedA = { ...branch('a'), additionalProperties: false };

  it.each<[JsonSchema]>([
    [{ ...refA, $defs: { A: closedA } }],
    [{ allOf: [refA], $defs: { A: closedA } }],
  ])('is enforced by OpenAI when a reference can be resolved: %j', (schema) => {
    const { body, warnings } = request(schema);
    expect(body.response_format).toMatchObject({ json_schema: { strict: true } });
    expect(warnings).toEqual([]);
  });

  it('is sent to OpenAI in the prompt when it is a union', () => {
    const schema = { type: 'object', oneOf: [branch('a'), branch('b')] };
    const { body, warnings } = request(schema);
    expect(body.response_format).toBeUndefined();
    expect(JSON.stringify(body.messages)).toContain('oneOf');
    expect(warnings).toMatchObject([{ code: 'schema-relaxed' }]);
  });
});

describe("Gemini's dialect", () => {
  it.each<[string, JsonObject, JsonObject, string[]]>([
    [
      'null',
      { enum: ['a', null] },
      { anyOf: [{ type: 'string', enum: ['a'] }, { type: 'null' }] },
      [],
    ],
    [
      'null with types',
      { type: ['string', 'null'], enum: ['a', null] },
      { anyOf: [{ type: 'string', enum: ['a'] }, { type: 'null' }] },
      [],
    ],
    ['only null', { enum: [null] }, { type: 'null' }, []],
    ['both booleans', { enum: [true, false] }, { type: 'boolean' }, []],
    ['one boolean', { enum: [true] }, { type: 'boolean', description: '{enum: [true]}' }, ['enum']],
    [
      'an empty string',
      { type: 'string', enum: ['', 'a'] },
      { type: 'string', description: '{enum: ["","a"]}' },
      ['enum'],
    ],
    ['an object', { enum: [{}] }, { description: '{enum: [{}]}' }, ['enum']],
    ['numbers', { enum: [1, 2] }, { enum: [1, 2] }, []],
  ])('writes an enum with %s in a form that is accepted', (_, schema, expected, relaxed) => {
    expect(relaxSchema(schema, 'gemini')).toEqual({ schema: expected, relaxed });
  });

  it('writes patternProperties as additionalProperties', () => {
    const schema = { type: 'object', patternProperties: { '^x-': { type: 'string' } } };
    expect(relaxSchema(schema, 'gemini')).toEqual({
      schema: {
        type: 'object',
        additionalProperties: { type: 'string' },
        description: '{patternProperties: ["^x-"]}',
      },
      relaxed: ['patternProperties'],
    });
  });

  it('resolves references inside allOf', () => {
    const schema = {
      type: 'object',
      properties: {
        alias: { allOf: [refA], description: 'An A' },
        more: { allOf: [refA, { properties: { y: { type: 'string' } } }] },
      },
      $defs: { A: branch('a') },
    };
    const { schema: sent, relaxed } = relaxSchema(schema, 'gemini');
    expect(relaxed).toEqual([]);
    expect(sent.properties).toMatchObject({
      alias: { $ref: '#/$defs/A' },
      more: { properties: { k: {}, x: {}, y: {} }, required: ['k', 'x'] },
    });
  });
});
