import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { callOptionsSchema, embedOptionsSchema } from '../../../src/config/option-schemas.ts';
import type { CallOptions } from '../../../src/index.ts';
import type { EmbedOptions } from '../../../src/protocol/other-tasks.ts';
import { setUp, vectors } from './set-up.ts';

const json = (description: string) =>
  ({ type: 'object', properties: { a: { type: 'string' } }, description }) as const;
const tool = { name: 'f', description: 'one', inputSchema: json('') };

/** Two values for each option that can change an answer. */
const answering: Readonly<Record<string, readonly [unknown, unknown]>> = {
  maxOutputTokens: [100, 200],
  temperature: [0, 1],
  topP: [0.5, 1],
  topK: [1, 2],
  frequencyPenalty: [0, 1],
  presencePenalty: [0, 1],
  stop: [['x'], ['y']],
  seed: [1, 2],
  system: ['Be kind.', 'Be brief.'],
  toolChoice: ['auto', 'none'],
  parallelToolCalls: [true, false],
  reasoning: [{ effort: 'low' }, { effort: 'high' }],
  onUnsupported: ['warn', 'error'],
  providerOptions: [{ a: { mood: 'good' } }, { a: { mood: 'bad' } }],
  transfer: ['stream', 'unary'],
  wire: ['stream', 'unary'],
  repairAttempts: [0, 1],
  tools: [[tool], [{ ...tool, description: 'two' }]],
  schema: [json('one'), json('two')],
  validate: [() => true, () => true],
  route: [{ only: ['a'] }, { ignore: ['b'] }],
  requires: [{}, { noTraining: false }],
  raw: [false, true],
  // Another target may answer, and concurrent calls with less must not end one with more.
  maxUsd: [10, 20],
};

/** The same for each option that cannot. */
const others: Readonly<Record<string, readonly [unknown, unknown]>> = {
  tags: [{ user: '1' }, { user: '2' }],
  userId: ['1', '2'],
  signal: [new AbortController().signal, new AbortController().signal],
  timeouts: [{ totalMs: 1_000 }, { totalMs: 2_000 }],
  retry: [{ attempts: 1 }, { attempts: 2 }],
  priority: ['low', 'high'],
  cache: [true, { ttl: '1h' }],
  singleFlight: [false, true],
  cacheResponse: [true, { ttlMs: 1_000_000 }],
};

/** How many requests the calls make. */
async function requestsOf(...options: readonly object[]): Promise<number> {
  const { router, a } = setUp({ script: '{"a":"x"}' });
  const usual: CallOptions<'a' | 'b'> = { cacheResponse: true, tools: [tool] };
  for (const each of options) await router.complete('t', 'hi', { ...usual, ...each });
  return a.calls.length;
}

describe('the key of an answer', () => {
  it('has decided on every option', () => {
    const known = new Set([...Object.keys(answering), ...Object.keys(others)]);
    expect(new Set(Object.keys(callOptionsSchema().shape))).toEqual(known);
  });

  it.each(Object.entries(answering))('differs by %s', async (name, [one, two]) => {
    expect(await requestsOf({ [name]: one }, { [name]: two }, { [name]: one })).toBe(2);
    expect(await requestsOf({}, { [name]: two })).toBe(2);
  });

  it.each(Object.entries(others))('does not differ by %s', async (name, [one, two]) => {
    expect(await requestsOf({}, { [name]: one }, { [name]: two })).toBe(1);
  });

  it('differs by the options of vectors', async () => {
    const changes: Readonly<Record<string, unknown>> = {
      dimensions: 3,
      route: { only: ['a'] },
      requires: { noTraining: false },
      providerOptions: { a: { mood: 'good' } },
      onUnsupported: 'error',
      maxUsd: 10,
    };
    const same: Readonly<Record<string, unknown>> = {
      ...{ tags: { user: '1' }, userId: '1', signal: new AbortController().signal },
      ...{ timeouts: { totalMs: 1 }, retry: { attempts: 1 }, priority: 'low', concurrency: 1 },
      cacheResponse: true,
    };
    const known = new Set([...Object.keys(changes), ...Object.keys(same)]);
    expect(new Set(Object.keys(embedOptionsSchema().shape))).toEqual(known);
    const { provider, requests } = vectors();
    const { router } = setUp({ a: provider });
    const embed = (options: EmbedOptions<'a' | 'b'> = {}) => router.embed('other', 'x', options);
    await embed();
    for (const name of Object.keys(same)) await embed({ [name]: same[name] });
    expect(requests).toHaveLength(1);
    for (const name of Object.keys(changes)) await embed({ [name]: changes[name] });
    expect(requests).toHaveLength(1 + Object.keys(changes).length);
  });

  it('differs by tier, messages and attachments', async () => {
    const { router, a } = setUp();
    const image = (byte: number) => [
      {
        role: 'user' as const,
        content: [
          {
            type: 'image' as const,
            source: { data: new Uint8Array([byte]), mediaType: 'image/png' },
          },
        ],
      },
    ];
    const calls = [
      () => router.complete('t', 'hi'),
      () => router.complete('other', 'hi'),
      () => router.complete('t', 'hi '),
      () => router.complete('t', image(1)),
      () => router.complete('t', image(2)),
      () => router.complete('t', [{ role: 'assistant', content: 'hi' }]),
      () =>
        router.complete('t', [
          { role: 'user', content: 'hi' },
          { role: 'user', content: 'hi' },
        ]),
    ];
    for (const call of [...calls, ...calls]) await call();
    expect(a.calls).toHaveLength(calls.length);
  });

  it('does not differ by the order of keys, except those of a schema', async () => {
    const { a: _, ...rest } = { a: 1, temperature: 0, seed: 1 };
    expect(await requestsOf(rest, { seed: 1, temperature: 0 }, { ...rest, topP: undefined })).toBe(
      1,
    );
    const schema = (...names: readonly string[]) => ({
      schema: {
        type: 'object',
        properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
      },
    });
    expect(await requestsOf(schema('a', 'b'), schema('b', 'a'), schema('a', 'b'))).toBe(2);
  });

  it('compares the schemas of libraries by identity', async () => {
    const make = () => ({ schema: z.object({ a: z.string() }) });
    const one = make();
    expect(await requestsOf(one, one, make())).toBe(2);
    const typed = { tools: [{ ...tool, inputSchema: z.object({}) }] };
    expect(await requestsOf(typed, typed)).toBe(1);
    expect(await requestsOf(typed, { tools: [{ ...tool, inputSchema: z.object({}) }] })).toBe(2);
  });
});
