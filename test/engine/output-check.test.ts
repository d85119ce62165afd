import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { checkOutput, outputCheck, repairHint } from '../../src/engine/answer/answer-check.ts';
import { SignalboxError } from '../../src/errors.ts';
import type { CallOptions } from '../../src/protocol/call-options.ts';
import type { Completion } from '../../src/protocol/completion.ts';
import type { Part, ToolCallPart } from '../../src/protocol/message.ts';
import type { StandardSchema } from '../../src/protocol/standard-schema.ts';
import { completionOf } from '../support/completion.ts';

const answerOf = (text: string, more: Partial<Completion> = {}): Completion =>
  completionOf([{ type: 'text', text }], more);

async function check(
  options: CallOptions,
  completion: Completion,
  fallbackOn: readonly string[] = [],
) {
  return checkOutput(outputCheck(options, fallbackOn), completion);
}

/** The hint that the model would receive for a repair. */
async function hintOf(checking: Promise<unknown>): Promise<string> {
  const error: unknown = await checking.catch((reason: unknown) => reason);
  if (!(error instanceof SignalboxError)) throw new Error('the output was accepted');
  expect(error.code).toBe('invalid_output');
  return repairHint(error);
}

const since = z.string().transform((text) => new Date(text));
const city = z.object({ city: z.string(), since: since.optional() });
const unusable = { code: 'invalid_output' };

describe('a schema', () => {
  test('returns the parsed object', async () => {
    const { object } = await check(
      { schema: city },
      answerOf('{"city":"Bern","since":"1191-01-01"}'),
    );
    expect(object).toEqual({ city: 'Bern', since: new Date('1191-01-01') });
  });

  test('accepts plain JSON Schema', async () => {
    const schema = {
      type: 'object',
      properties: { city: { type: 'string' } },
      required: ['city'],
      additionalProperties: false,
    };
    expect((await check({ schema }, answerOf('{"city":"Bern"}'))).object).toEqual({ city: 'Bern' });
    await expect(check({ schema }, answerOf('{"town":"Bern"}'))).rejects.toMatchObject(unusable);
  });

  test.each([
    ['```json\n{"city":"Bern"}\n```'],
    ['  \n```\n{"city":"Bern"}\n```\n'],
    ['```JSON\r\n{"city":"Bern"}```'],
    ['```json {"city":"Bern"} ```'],
    ['\n {"city":"Bern"} \n'],
  ])('removes a code fence: %j', async (text) => {
    expect((await check({ schema: city }, answerOf(text))).object).toEqual({ city: 'Bern' });
  });

  test.each([
    ['Here it is:\n```json\n{"city":"Bern"}\n```\nAnything else?'],
    ['Sure: {"city":"Bern"}. Anything else?'],
  ])('removes the prose around JSON: %j', async (text) => {
    const { object, warnings } = await check({ schema: city }, answerOf(text));
    expect(object).toEqual({ city: 'Bern' });
    expect(warnings).toEqual([]);
  });

  test.each([
    ['{"city":"Bern",}'],
    ["{'city': 'Bern'}"],
    ['{"city":"Bern"'],
    ['{city:"Bern"} // a'],
  ])('repairs broken JSON, with a warning: %j', async (text) => {
    const { object, warnings } = await check({ schema: city }, answerOf(text));
    expect(object).toEqual({ city: 'Bern' });
    expect(warnings).toMatchObject([{ code: 'compat' }]);
  });

  test.each([['{"town":"Bern"'], ['[Bern]'], ['{"city":']])(
    'rejects repaired JSON that does not fit: %j',
    async (text) => {
      await expect(check({ schema: city }, answerOf(text))).rejects.toMatchObject(unusable);
    },
  );

  test('does not repair an answer that was cut at maxOutputTokens', async () => {
    const cut = answerOf('{"city":"Ber', { finishReason: 'length' });
    await expect(check({ schema: city }, cut)).rejects.toMatchObject(unusable);
  });

  test('does not repair a long answer, which could block the event loop for seconds', async () => {
    const long = answerOf(`{"city":"Bern"${' '.repeat(20_000)},`);
    await expect(check({ schema: city }, long)).rejects.toMatchObject(unusable);
  });

  test('keeps a code fence inside the JSON', async () => {
    const text = JSON.stringify({ city: '```json\n{}\n```' });
    expect((await check({ schema: city }, answerOf(text))).object).toEqual(JSON.parse(text));
  });

  test('rejects an answer that does not fit, with the path in the hint', async () => {
    expect(await hintOf(check({ schema: city }, answerOf('{"city":5}')))).toMatch(
      /^Your last answer could not be used: city: .*expected string.*\. Fix this and answer again\.$/,
    );
  });

  test('rejects an answer that is not JSON, without repeating it', async () => {
    const checking = check({ schema: city }, answerOf('Bern is a secret'));
    expect(await hintOf(checking)).toContain('it is not valid JSON');
    await expect(checking).rejects.toThrow('unusable output: not JSON');
  });

  test('rejects a truncated answer, even if its JSON is valid', async () => {
    const cut = answerOf('{"city":"Bern"}', { finishReason: 'length' });
    expect(await hintOf(check({ schema: city }, cut))).toContain('it was cut off');
  });

  test('is not applied to an answer that calls tools', async () => {
    const call: ToolCallPart = { type: 'tool-call', id: '1', name: 'f', input: {} };
    const turn = completionOf([call], { finishReason: 'tool_calls' });
    const { object } = await check({ schema: city, tools: [{ name: 'f', inputSchema: {} }] }, turn);
    expect(object).toBeUndefined();
  });

  test('throws before sending when it cannot be converted to JSON Schema', () => {
    const opaque = {
      '~standard': { version: 1, vendor: 'mine', validate: (value: unknown) => ({ value }) },
    } as const;
    expect(() => outputCheck({ schema: opaque }, [])).toThrow(
      'schema: this mine schema has no JSON Schema form',
    );
    expect(() => outputCheck({ schema: z.object({ when: z.date() }) }, [])).toThrow(
      'schema: this zod schema cannot be converted to JSON Schema',
    );
    expect(() => outputCheck({ schema: { type: 'no such type' } }, [])).toThrow(
      'schema: not a JSON Schema that can be checked',
    );
  });
});

describe('a tool call', () => {
  const tools = [
    { name: 'typed', inputSchema: z.object({ n: z.coerce.number() }) },
    { name: 'plain', inputSchema: { type: 'object', required: ['n'] } },
  ] as const;
  const calling = (...calls: readonly Partial<ToolCallPart>[]): Completion =>
    completionOf(
      calls.map((call) => ({ type: 'tool-call', id: '1', name: 'typed', input: {}, ...call })),
      { finishReason: 'tool_calls' },
    );

  test('has the parsed input', async () => {
    const turn = calling({ input: { n: '5' } }, { name: 'plain', input: {} });
    const { toolCalls, content } = await check({ tools }, turn);
    expect(toolCalls.map(({ input }) => input)).toEqual([{ n: 5 }, {}]);
    expect(content).toEqual(turn.content);
  });

  test('is rejected when its input does not fit, with the tool in the hint', async () => {
    expect(await hintOf(check({ tools }, calling({ input: { n: 'x' } })))).toContain(
      'the input of tool "typed" does not fit: n: ',
    );
  });

  const action = (kind: string, name: string) => ({
    type: 'object',
    properties: { kind: { const: kind }, [name]: { type: 'string' }, n: { default: 1 } },
    required: ['kind', name],
  });
  const union = [action('read', 'path'), action('find', 'query')];
  test.each<[string, Record<string, unknown>]>([
    ['oneOf', { oneOf: union }],
    ['anyOf', { type: 'object', anyOf: union }],
    ['allOf', { allOf: [{ type: 'object', required: ['kind'] }, { anyOf: union }] }],
    ['$ref', { $ref: '#/$defs/U', $defs: { U: { anyOf: union } } }],
  ])(
    'must fit plain JSON Schema with %s at its root, which vendors get flattened',
    async (_, inputSchema) => {
      const acting = [{ name: 'act', inputSchema }];
      const input = { kind: 'read', path: 'a', more: 1 };
      const good = await check({ tools: acting }, calling({ name: 'act', input }));
      expect(good.toolCalls[0]?.input).toEqual(input);
      // Every property is one that some branch has.
      const mixed = calling({ name: 'act', input: { kind: 'read', query: 'q' } });
      expect(await hintOf(check({ tools: acting }, mixed))).toContain('the input of tool "act"');
    },
  );

  test('is accepted when its plain JSON Schema cannot be checked', async () => {
    const inputSchema = { type: 'object', not: { required: ['a'] } };
    const { toolCalls } = await check(
      { tools: [{ name: 'act', inputSchema }] },
      calling({ name: 'act', input: { a: 1 } }),
    );
    expect(toolCalls[0]?.input).toEqual({ a: 1 });
  });
});

describe('a finish', () => {
  test.each(['refusal', 'content_filter'] as const)(
    'by %s is accepted, unless the tier lists it or there is a schema',
    async (finishReason) => {
      const blocked = answerOf('I cannot', { finishReason });
      expect(await check({}, blocked)).toEqual(blocked);
      expect(await check({}, completionOf([], { finishReason }))).toMatchObject({ finishReason });
      await expect(check({}, blocked, [finishReason])).rejects.toMatchObject({
        code: finishReason,
      });
      await expect(check({ schema: city }, blocked)).rejects.toMatchObject({ code: finishReason });
    },
  );

  test('at the end of the context window is accepted, unless the tier lists it', async () => {
    const full = answerOf('and so on', { finishReason: 'context_length' });
    expect(await check({}, full)).toEqual(full);
    await expect(check({}, full, ['context_length'])).rejects.toMatchObject({
      code: 'context_length',
    });
  });

  test('by length is accepted without a schema', async () => {
    const cut = answerOf('and so', { finishReason: 'length' });
    expect(await check({}, cut)).toEqual(cut);
  });

  test('by an error is rejected, with the vendor’s finish reason in the message', async () => {
    const broken = answerOf('half', {
      finishReason: 'error',
      rawFinishReason: 'MALFORMED_FUNCTION_CALL',
    });
    expect(await hintOf(check({}, broken))).toContain('it was malformed');
    await expect(check({}, broken)).rejects.toThrow('it ended with MALFORMED_FUNCTION_CALL');
  });
});

describe('an empty answer', () => {
  test.each<[string, readonly Part[]]>([
    ['nothing at all', []],
    ['white space', [{ type: 'text', text: ' \n' }]],
    ['only reasoning', [{ type: 'reasoning', text: 'hm' }]],
  ])('of %s is rejected', async (_, content) => {
    for (const finishReason of ['stop', 'tool_calls', 'other'] as const) {
      expect(await hintOf(check({}, completionOf(content, { finishReason })))).toContain(
        'it was empty',
      );
    }
  });

  test('is accepted when the vendor’s built-in tools ran', async () => {
    const step: Part = {
      type: 'reasoning',
      text: '',
      opaque: { wire: 'openai-responses', provider: 'a', model: '1', kind: 'item', data: '{}' },
    };
    const worked = completionOf([step]);
    expect(await check({}, worked)).toEqual(worked);
  });

  test('is accepted when its finish reason explains it', async () => {
    for (const finishReason of ['length', 'pause', 'context_length'] as const) {
      const empty = completionOf([], { finishReason });
      expect(await check({}, empty)).toEqual(empty);
    }
  });
});

describe('a turn that the vendor paused', () => {
  test.each(['', 'Let me look.'])('is not checked: %j', async (text) => {
    const paused = answerOf(text, { finishReason: 'pause' });
    const options = { schema: city, validate: () => 'no' };
    expect(await check(options, paused)).toEqual(paused);
  });
});

describe('an exception in the caller’s code', () => {
  const broken = new Error('boom at /home/me/secret.ts');
  const schema: StandardSchema = {
    '~standard': {
      version: 1,
      vendor: 'mine',
      validate: () => {
        throw broken;
      },
      jsonSchema: { input: () => ({}) },
    },
  };
  const throwing = (): never => {
    throw broken;
  };

  test.each<[string, CallOptions, string]>([
    ['validate', { validate: throwing }, 'validate threw; see cause'],
    ['a rejecting validate', { validate: async () => throwing() }, 'validate threw; see cause'],
    ['a schema', { schema }, 'the schema threw; see cause'],
  ])(
    'in %s is the cause of the failure and is not sent to the model',
    async (_, options, message) => {
      const error = await check(options, answerOf('{}')).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'invalid_output', cause: broken });
      expect(String(error)).toContain(message);
      expect(repairHint(error as SignalboxError)).toBe(
        'Your last answer could not be used: it did not pass the check. Fix this and answer again.',
      );
    },
  );

  test('in the schema of a tool is the cause of the failure', async () => {
    const call: Part = { type: 'tool-call', id: '1', name: 'look', input: {} };
    const answer = completionOf([call], { finishReason: 'tool_calls' });
    const checking = check({ tools: [{ name: 'look', inputSchema: schema }] }, answer);
    await expect(checking).rejects.toMatchObject({
      message: 'unusable output: the schema threw at the input of tool "look"; see cause',
      cause: broken,
    });
  });
});

describe('validate', () => {
  test.each([[true], [undefined]])('accepts with %s', async (verdict) => {
    const answer = answerOf('fine');
    expect(await check({ validate: () => verdict }, answer)).toEqual(answer);
    expect(await check({ validate: async () => verdict }, answer)).toEqual(answer);
  });

  test.each<[string, NonNullable<CallOptions['validate']>, string]>([
    ['false', () => false, 'it did not pass the check'],
    ['a reason', () => 'too rude', 'too rude'],
    ['an empty reason', () => '', 'it did not pass the check'],
    ['a promise of a reason', async () => 'too long', 'too long'],
  ])('rejects with %s', async (_, validate, reason) => {
    const checking = check({ validate }, answerOf('fine'));
    expect(await hintOf(checking)).toContain(reason);
    await expect(checking).rejects.toThrow('unusable output: validate did not pass it');
  });

  test('receives the object and is not called for an invalid answer', async () => {
    const seen: unknown[] = [];
    const validate: NonNullable<CallOptions['validate']> = ({ object }) => {
      seen.push(object);
      return true;
    };
    await check({ schema: city, validate }, answerOf('{"city":"Bern"}'));
    await expect(check({ schema: city, validate }, answerOf('{}'))).rejects.toMatchObject(unusable);
    expect(seen).toEqual([{ city: 'Bern' }]);
  });
});
