import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ResponseCacheOptions, responseCache } from '../../../src/cache.ts';
import { isSignalboxError, type Plugin, SignalboxError } from '../../../src/index.ts';
import { createRouter } from '../../../src/router.ts';
import type { FakeAnswer } from '../../../src/testing/fake-answer.ts';
import { type FakeEntry, fakeProvider } from '../../../src/testing/fake-provider.ts';
import { testPlugin } from '../../../src/testing/plugin-contract.ts';
import { hideName } from '../../support/plugins.ts';
import { read, setUp, textOf, vectors } from './set-up.ts';

describe('responseCache as a plugin', () => {
  for (const { name, run } of testPlugin({ plugin: () => responseCache() })) it(name, run);

  it.each<[string, object]>([
    ['responseCache.maxBytes: must be more than 0', { maxBytes: 0 }],
    ['responseCache.ttlMs: must be a number', { ttlMs: 'an hour' }],
    ['responseCache.namespace: must be a list', { namespace: 'tenant' }],
    ['responseCache.name: must not be empty', { name: '' }],
    ['responseCache: ', { maxAge: 1 }],
  ])('rejects bad options: %s', (message, options) => {
    const make = () => responseCache(options as ResponseCacheOptions);
    expect(make).toThrow(expect.objectContaining({ code: 'config' }));
    expect(make).toThrow(message);
  });

  it('rejects bad values of cacheResponse', async () => {
    const { router } = setUp();
    for (const cacheResponse of ['yes', { ttlMs: 0 }, {}]) {
      const options = { cacheResponse } as unknown as { cacheResponse: boolean };
      await expect(router.complete('t', 'hi', options)).rejects.toMatchObject({ code: 'config' });
    }
  });
});

describe('a hit', () => {
  it('answers without a request, costs nothing, and says what it saved', async () => {
    const { router, a, events } = setUp();
    const first = await router.complete('t', 'hi', { tags: { user: 'u1' } });
    const second = await router.complete('t', 'hi', { tags: { user: 'u2' } });
    expect(a.calls).toHaveLength(1);
    expect(first.cached).toBeUndefined();
    expect(first.cost.usd).toBeGreaterThan(0);
    expect(second).toMatchObject({
      text: 'answer 1',
      cached: true,
      target: 'a/m',
      id: first.id,
      usage: first.usage,
      cost: { usd: 0, attemptsUsd: 0, breakdown: { output: 0 }, savedUsd: first.cost.usd },
      trail: [],
      tags: { user: 'u2' },
      finishReason: 'stop',
    });
    expect(second.shared).toBeUndefined();
    expect(second.callId).not.toBe(first.callId);
    const [made, hit] = events.of('call-end');
    expect(made).not.toHaveProperty('cached');
    expect(hit).toMatchObject({ cached: true, usd: 0, savedUsd: first.cost.usd, attempts: 0 });
    expect(hit?.callId).toBe(second.callId);
    expect(events.of('cost')).toHaveLength(1);
  });

  it('saved an unknown amount when the price is unknown', async () => {
    const { router, events } = setUp({ routing: { prices: {} } });
    await router.complete('t', 'hi');
    const { cost } = await router.complete('t', 'hi');
    expect(cost).toMatchObject({ usd: 0, savedUsd: null });
    expect(events.of('call-end')[1]).toMatchObject({ usd: 0, savedUsd: null });
  });

  it('is a stream for a stream, whichever way the answer was made', async () => {
    const text = `${'word '.repeat(200)}😀`.repeat(3);
    const script = { text, reasoning: 'hm' };
    for (const mode of ['complete', 'stream'] as const) {
      const { router, a } = setUp({ script });
      const live = mode === 'stream' ? await read(router.stream('t', 'hi')) : [];
      if (mode === 'complete') await router.complete('t', 'hi');
      const parts = await read(router.stream('t', 'hi'));
      expect(textOf(parts)).toBe(text);
      expect(parts.every((part) => !('delta' in part) || part.delta.isWellFormed())).toBe(true);
      expect(parts[0]).toEqual({ type: 'start', target: 'a/m', model: 'm' });
      expect(parts.at(-1)).toMatchObject({ type: 'finish', completion: { cached: true, text } });
      const kinds = [...new Set(parts.map(({ type }) => type))];
      expect(kinds).toEqual(['start', 'reasoning-delta', 'part-end', 'text-delta', 'finish']);
      if (live.length > 0) expect(kinds).toEqual([...new Set(live.map(({ type }) => type))]);
      expect((await router.complete('t', 'hi')).text).toBe(text);
      expect(a.calls).toHaveLength(1);
    }
  });

  it('is validated for its own caller, who gets an object of its own', async () => {
    const { router, a } = setUp({ script: { object: { day: '2026-11-30', tags: ['x'] } } });
    const day = z.string().transform((text) => new Date(text));
    const schema = z.object({ day, tags: z.array(z.string()) });
    const first = await router.complete('t', 'when?', { schema });
    first.object.tags.push('changed');
    const second = await router.complete('t', 'when?', { schema });
    expect(second.object).toEqual({ day: new Date('2026-11-30'), tags: ['x'] });
    expect(a.calls).toHaveLength(1);
  });

  it('does not see what callers do with their completions', async () => {
    const { router } = setUp({
      script: { text: 'fine', toolCalls: [{ name: 'f', input: { n: [1] } }] },
    });
    const tools = [{ name: 'f', inputSchema: { type: 'object' } }] as const;
    const ask = () => router.complete('t', 'hi', { tools, cacheResponse: true });
    for (let round = 0; round < 3; round += 1) {
      const completion = await ask();
      expect(completion.content).toMatchObject([{ text: 'fine' }, { input: { n: [1] } }]);
      expect(completion.toolCalls).toMatchObject([{ input: { n: [1] } }]);
      for (const part of completion.content) Object.assign(part, { text: 'bad', input: {} });
      Object.assign(completion.toolCalls[0]?.input ?? {}, { n: [2] });
    }
  });

  it('holds only what the layers outside made of it', async () => {
    const secret = 'ada@example.com';
    const { router, a } = setUp({
      outside: [
        hideName(secret, '<EMAIL_1>'),
        { ...hideName('bob@x.org', '<EMAIL_1>'), name: 'h2' },
      ],
      script: 'I wrote to <EMAIL_1>.',
    });
    const first = await router.complete('t', `Write to ${secret}.`);
    const second = await router.complete('t', 'Write to bob@x.org.');
    expect(first.text).toContain('@');
    expect(second.cached).toBe(true);
    expect(a.calls).toHaveLength(1);
    expect(JSON.stringify(a.calls[0]?.request)).not.toContain('@');
  });

  it('is shown to audits as the innermost layer saw it', async () => {
    const seen: (string | undefined)[] = [];
    const audit: Plugin = {
      name: 'audit',
      async *wrapCall(call, next) {
        yield* next();
        seen.push(`${call.innermost.answer?.text} ${call.innermost.answer?.cached}`);
      },
    };
    const { router } = setUp({ outside: [audit, hideName('Ada')], script: 'I am [PERSON]' });
    await router.complete('t', 'Ada?');
    await router.complete('t', 'Ada?');
    expect(seen).toEqual(['I am [PERSON] undefined', 'I am [PERSON] true']);
  });
});

describe('identical calls at the same time', () => {
  it('share one request: a thousand, each with its own tags, and one is billed', async () => {
    const { router, a, events } = setUp({ script: { text: 'once', firstTokenDelayMs: 50 } });
    const calls = Array.from({ length: 1_000 }, (_, user) =>
      router.complete('t', 'hi', { tags: { user: `${user}` } }),
    );
    const answers = await Promise.all(calls);
    expect(a.calls).toHaveLength(1);
    expect(answers.map(({ tags }) => tags.user)).toEqual(answers.map((_, user) => `${user}`));
    expect(answers.filter(({ cached }) => cached)).toHaveLength(999);
    expect(answers.filter(({ cached, shared }) => cached === shared)).toHaveLength(1_000);
    expect(answers.filter(({ cost }) => cost.usd !== 0)).toHaveLength(1);
    expect(new Set(answers.map(({ callId }) => callId)).size).toBe(1_000);
    expect(events.of('call-end').filter(({ usd }) => usd !== 0)).toHaveLength(1);
    expect((await router.complete('t', 'hi')).shared).toBeUndefined();
    expect(router.snapshot().callsInFlight).toBe(0);
  });

  it('share a stream while it arrives', async () => {
    const { router, a, runtime } = setUp({
      script: { chunks: ['one ', 'two ', 'three'], chunkDelayMs: 100 },
      time: 'manual',
    });
    const first = read(router.stream('t', 'hi'));
    await runtime.advance(150);
    const reader = router.stream('t', 'hi')[Symbol.asyncIterator]();
    await reader.next();
    expect((await reader.next()).value).toEqual({ type: 'text-delta', delta: 'one ' });
    await runtime.advance(500);
    expect(textOf(await first)).toBe('one two three');
    await reader.return?.();
    expect(a.calls).toMatchObject([{ outcome: 'ok' }]);
  });

  it.each<[string, number, Plugin[]]>([
    ['no plugin', 10, []],
    ['no plugin', 150, []],
    ['a plugin that changes answers', 10, [hideName('Ada')]],
    ['a plugin that changes answers', 150, [hideName('Ada')]],
    ['a plugin that checks answers', 150, [{ name: 'checks', accept: () => true }]],
  ])(
    'go on when the first of them leaves, with %s inside: after %i ms',
    async (_, leaveMs, inside) => {
      const { router, runtime, a } = setUp({
        script: { chunks: ['fi', 'ne'], firstTokenDelayMs: 100, chunkDelayMs: 100 },
        inside,
        time: 'manual',
      });
      const leaving = new AbortController();
      const first = router.complete('t', 'hi', { signal: leaving.signal }).catch((error) => error);
      const others = [1, 2, 3].map(() => router.complete('t', 'hi'));
      await runtime.advance(leaveMs);
      leaving.abort();
      expect(isSignalboxError(await first, 'aborted')).toBe(true);
      await runtime.advance(1_000);
      expect((await Promise.all(others)).map(({ text }) => text)).toEqual(Array(3).fill('fine'));
      expect(a.calls).toMatchObject([{ outcome: 'ok' }]);
      expect(router.snapshot().callsInFlight).toBe(0);
    },
  );

  it.each<[string, Plugin[], object]>([
    ['singleFlight', [], { singleFlight: true }],
    ['another cache', [responseCache({ name: 'inner' })], {}],
  ])('go on as long as one is left, with %s inside', async (_, inside, options) => {
    for (const [leaving, outcome] of [
      [1, 'ok'],
      [2, 'aborted'],
    ] as const) {
      const { router, runtime, a, events } = setUp({
        script: { chunks: ['fi', 'ne'], firstTokenDelayMs: 100, chunkDelayMs: 100 },
        inside,
        time: 'manual',
      });
      const callers = [new AbortController(), new AbortController()];
      const calls = callers.map(({ signal }) =>
        router.complete('t', 'hi', { signal, ...options }).catch((error) => error),
      );
      await runtime.advance(150);
      for (const caller of callers.slice(0, leaving)) caller.abort();
      await runtime.advance(1_000);
      const [first, last] = await Promise.all(calls);
      expect(first).toMatchObject({ code: 'aborted' });
      expect(last).toMatchObject(leaving === 1 ? { text: 'fine' } : { code: 'aborted' });
      expect(a.calls).toMatchObject([{ outcome }]);
      expect(events.of('call-end')).toHaveLength(2);
      expect(events.of('attempt-end')).toMatchObject([{ outcome }]);
      expect(router.snapshot().callsInFlight).toBe(0);
      expect(runtime.pending).toBe(0);
    }
  });

  it('end the request before the end of the only call that has it, with singleFlight inside', async () => {
    const { router, runtime } = setUp({ script: { hang: true }, time: 'manual' });
    const types: string[] = [];
    router.on('*', ({ type }) => types.push(type));
    const leaving = new AbortController();
    const { signal } = leaving;
    const call = router.complete('t', 'hi', { signal, singleFlight: true }).catch((error) => error);
    await runtime.advance(10);
    leaving.abort();
    expect(isSignalboxError(await call, 'aborted')).toBe(true);
    await runtime.advance(10);
    expect(types.slice(-2)).toEqual(['attempt-end', 'call-end']);
  });

  it.each(['complete', 'stream'] as const)(
    'do not get a tool call to run that a plugin inside denied: %s',
    async (mode) => {
      const guard: Plugin = { name: 'guard', onToolCall: () => ({ deny: 'no' }) };
      const { router, a } = setUp({ inside: [guard], script: { toolCalls: [{ name: 'f' }] } });
      const options = { tools: [{ name: 'f', inputSchema: {} }], cacheResponse: true };
      const ask = () =>
        mode === 'complete'
          ? router.complete('t', 'hi', options)
          : router.stream('t', 'hi', options).completion;
      const answers = await Promise.all([ask(), ask()]);
      expect(a.calls).toHaveLength(1);
      expect(answers.map(({ shared }) => shared)).toEqual([undefined, true]);
      for (const { content, toolCalls } of answers) {
        expect(content).toMatchObject([{ denied: { plugin: 'guard', rule: 'no' } }]);
        expect(toolCalls).toEqual([]);
      }
    },
  );

  it('end the request when all of them leave', async () => {
    const { router, runtime, a } = setUp({ script: { hang: true }, time: 'manual' });
    const leaving = new AbortController();
    const { signal } = leaving;
    const calls = [1, 2].map(() => router.complete('t', 'hi', { signal }).catch((error) => error));
    await runtime.advance(10);
    leaving.abort();
    await Promise.all(calls);
    await runtime.advance(0);
    expect(a.calls).toMatchObject([{ outcome: 'aborted' }]);
    expect(router.snapshot().callsInFlight).toBe(0);
    expect(runtime.pending).toBe(0);
  });

  it('share a failure, which is not kept', async () => {
    const { router, a } = setUp({
      script: [{ error: 'invalid_request', firstTokenDelayMs: 10 }, 'fine'],
    });
    const calls = [1, 2].map(() => router.complete('t', 'hi').catch((error) => error));
    for (const error of await Promise.all(calls)) {
      expect(isSignalboxError(error, 'invalid_request')).toBe(true);
    }
    expect(a.calls).toHaveLength(1);
    expect((await router.complete('t', 'hi')).text).toBe('fine');
  });

  it('do not share what only one of them may not do', async () => {
    const guard: Plugin = {
      name: 'guard',
      onRequest: (request, { tags }) =>
        tags.user === 'eve' ? { block: { rule: 'no-eve' } } : request,
    };
    const { router, a } = setUp({
      script: { text: 'fine', firstTokenDelayMs: 10 },
      inside: [guard],
      routing: { budgets: { user: { by: 'user', requests: 1, per: 'hour' } } },
    });
    const ask = (user: string, prompt = 'hi') =>
      router.complete('t', prompt, { tags: { user } }).then(
        ({ text }) => text,
        (error) => error.code,
      );
    await ask('ann', 'something else');
    const asked = ['eve', 'ann', 'bob', 'cid'].map((user) => ask(user));
    expect(await Promise.all(asked)).toEqual(['policy_blocked', 'budget_exceeded', 'fine', 'fine']);
    expect(a.calls).toHaveLength(2);
    // A hit is not counted.
    expect(await Promise.all([ask('ann'), ask('bob')])).toEqual(['fine', 'fine']);
  });

  it('share nothing with cacheResponse: false', async () => {
    const { router, a } = setUp();
    await Promise.all([1, 2].map(() => router.complete('t', 'hi', { cacheResponse: false })));
    expect(a.calls).toHaveLength(2);
  });
});

describe('what is not kept', () => {
  const tools = [{ name: 'f', inputSchema: { type: 'object' } }] as const;
  const finishes = ['length', 'content_filter', 'refusal', 'pause', 'other', 'error'] as const;
  const scripts: Readonly<Record<string, FakeEntry>> = {
    ...Object.fromEntries(
      finishes.map((finishReason): [string, FakeAnswer] => [
        finishReason,
        { text: 'as far as it got', finishReason },
      ]),
    ),
    'no text': { text: '' },
    'an error': { error: 'server_error' },
    'a cut': { chunks: ['one ', 'two'], cutAfter: 1 },
    'arguments that are no JSON': { toolCalls: [{ name: 'f', rawInput: '{"a":' }] },
  };

  it.each(Object.entries(scripts))('%s', async (_, entry) => {
    const { router, a } = setUp({
      script: [entry, 'good'],
      tier: { targets: ['a/m'], retry: { attempts: 0 }, repairAttempts: 0 },
    });
    const options = { cacheResponse: true, tools };
    await router.complete('t', 'hi', options).catch(() => undefined);
    await read(router.stream('other', 'hi', options)).catch(() => undefined);
    const requests = a.calls.length;
    const { text, cached } = await router.complete('t', 'hi', options);
    expect({ text, cached }).toEqual({ text: 'good', cached: undefined });
    expect(a.calls).toHaveLength(requests + 1);
  });

  it('an answer that was rejected, but the one after the repair is', async () => {
    const { router, a } = setUp({ script: ['bad', 'good', 'third'] });
    const validate = ({ text }: { text: string }) => text !== 'bad';
    expect((await router.complete('t', 'hi', { validate })).text).toBe('good');
    expect((await router.complete('t', 'hi', { validate })).text).toBe('good');
    expect(a.calls).toHaveLength(2);
  });

  it('an answer that another target continued', async () => {
    const { router, b } = setUp({
      script: { chunks: ['one ', 'two'], cutAfter: 1 },
      tier: { midStream: 'continue', retry: { attempts: 0 } },
    });
    const parts = await read(router.stream('t', 'hi'));
    expect(parts.map(({ type }) => type)).toContain('continue');
    const again = await router.complete('t', 'hi');
    expect(again.cached).toBeUndefined();
    expect(b.calls).toHaveLength(2);
  });

  it('a call that a plugin inside denied', async () => {
    const guard: Plugin = { name: 'guard', onToolCall: () => ({ deny: 'no' }) };
    const { router, a } = setUp({ inside: [guard], script: { toolCalls: [{ name: 'f' }] } });
    for (const _ of [1, 2]) await router.complete('t', 'hi', { tools, cacheResponse: true });
    expect(a.calls).toHaveLength(2);
  });

  it('images, and calls of a fire drill', async () => {
    const { provider, requests } = vectors();
    const { router, a } = setUp({ a: provider });
    for (const _ of [1, 2]) await router.image('other', 'a cat');
    expect(requests).toHaveLength(2);
    await router.complete('t', 'hi');
    const drill = router.drill({ tier: 't', fault: 'server_error', share: 1, forMs: 10 });
    const { target, cached } = await router.complete('t', 'hi');
    await drill.stop();
    expect({ target, cached }).toEqual({ target: 'b/m', cached: undefined });
    expect((await router.complete('t', 'hi')).target).toBe('a/m');
    expect(a.calls).toHaveLength(0);
  });
});

describe('calls that are cached only with cacheResponse', () => {
  const tools = [{ name: 'f', inputSchema: { type: 'object' } }] as const;
  const cases: readonly [string, object, object?][] = [
    ['tools', { tools }],
    ['a temperature above 0', { temperature: 0.7 }],
    ['a temperature above 0 in the configuration', {}, { temperature: 0.7 }],
    ['a temperature above 0 of a target', {}, { targets: [{ target: 'a/m', temperature: 1 }] }],
  ];
  it.each(cases)('%s', async (_, options, tier = {}) => {
    const { router, a } = setUp({ tier });
    for (const _ of [1, 2]) await router.complete('t', 'hi', options);
    expect(a.calls).toHaveLength(2);
    for (const _ of [1, 2]) await router.complete('t', 'hi', { ...options, cacheResponse: true });
    expect(a.calls).toHaveLength(3);
  });

  it('but not an empty list of tools, a temperature of 0, or none', async () => {
    for (const options of [{ tools: [] }, { temperature: 0 }, {}]) {
      const { router, a } = setUp();
      for (const _ of [1, 2]) await router.complete('t', 'hi', options);
      expect(a.calls).toHaveLength(1);
    }
    const { router, a } = setUp({ tier: { temperature: 1 } });
    for (const _ of [1, 2]) await router.complete('t', 'hi', { temperature: 0 });
    expect(a.calls).toHaveLength(1);
  });
});

describe('bounds', () => {
  it('of age: an hour, or ttlMs, or what the call says', async () => {
    const { router, a, runtime } = setUp({ time: 'manual' });
    const ask = (options = {}) => router.complete('t', 'hi', options);
    const { text } = await ask();
    await runtime.advance(3_599_999);
    expect((await ask()).text).toBe(text);
    expect((await ask({ cacheResponse: { ttlMs: 1_000 } })).text).toBe('answer 2');
    await runtime.advance(999);
    expect((await ask()).text).toBe('answer 2');
    await runtime.advance(1);
    expect((await ask()).text).toBe('answer 3');
    expect(a.calls).toHaveLength(3);
    expect(runtime.pending).toBe(0);
  });

  it('of number: the least recently used is dropped', async () => {
    const { router, a } = setUp({ cache: { maxEntries: 2 } });
    for (const prompt of ['1', '2', '1', '3', '1']) await router.complete('t', prompt);
    expect(a.calls).toHaveLength(3);
    await router.complete('t', '2');
    expect(a.calls).toHaveLength(4);
  });

  it('of bytes: answers that are larger than all of it are not kept', async () => {
    const script = ({ messages }: { messages: readonly unknown[] }) =>
      JSON.stringify(messages).includes('huge') ? '漢'.repeat(40_000) : 'x'.repeat(20_000);
    const { router, a } = setUp({ cache: { maxBytes: 60_000 }, script });
    const ask = async (prompt: string) => (await router.complete('t', prompt)).cached === true;
    expect([await ask('1'), await ask('2'), await ask('huge')]).toEqual([false, false, false]);
    expect([await ask('1'), await ask('2'), await ask('huge')]).toEqual([true, true, false]);
    expect([await ask('3'), await ask('1'), await ask('3')]).toEqual([false, false, true]);
    expect(a.calls).toHaveLength(6);
  });
});

describe('entries are kept apart', () => {
  it('by the tags of namespace, and by no others', async () => {
    const { router, a } = setUp({ cache: { namespace: ['tenant'] } });
    const ask = async (tags: Record<string, string>) =>
      (await router.complete('t', 'hi', { tags })).text;
    expect(await ask({ tenant: 'x', user: '1' })).toBe('answer 1');
    expect(await ask({ tenant: 'y', user: '1' })).toBe('answer 2');
    expect(await ask({ user: '1' })).toBe('answer 3');
    expect(await ask({ tenant: 'null' })).toBe('answer 4');
    expect(await ask({ tenant: 'x', user: '2' })).toBe('answer 1');
    expect(a.calls).toHaveLength(4);
    const together = [...'xyxyx'].map((tenant) => ask({ tenant: `${tenant}${tenant}` }));
    expect(new Set(await Promise.all(together)).size).toBe(2);
  });

  it('by the configuration of the tier: not by that of another one, by prices or by limits', async () => {
    const { router, a } = setUp();
    const ask = async () => (await router.complete('t', 'hi')).text;
    const tiers = (t: object) =>
      router.reconfigure({
        tiers: { t: { targets: ['a/m', 'b/m'], retry: { minMs: 1 }, ...t }, other: ['b/m'] },
      });
    await ask();
    tiers({});
    expect(await ask()).toBe('answer 1');
    router.reconfigure({
      tiers: { t: { targets: ['a/m', 'b/m'], limits: { rpm: 100 } }, other: ['a/m'] },
      prices: { 'a/m': { input: 7, output: 7 } },
    });
    expect(await ask()).toBe('answer 1');
    const changes: readonly object[] = [
      { targets: ['b/m', 'a/m'] },
      { system: 'Be kind.' },
      { targets: ['a/m'] },
      { targets: ['a/x', 'b/m'] },
      { maxOutputTokens: 10 },
      { providerOptions: { a: { mood: 'good' } } },
      { fallbackTier: 'other' },
      { fallbacks: { content_filter: ['b/x'] } },
      { requires: { noTraining: false } },
      { validators: { pattern: 'answer|spare' } },
      { validators: { jsonSchema: {} } },
    ];
    for (const change of changes) {
      tiers(change);
      const completion = await router.complete('t', 'hi').catch(() => undefined);
      expect(completion?.cached, JSON.stringify(change)).toBeUndefined();
    }
    tiers({});
    expect(await ask()).toBe('answer 1');
    expect(a.calls.length).toBeGreaterThan(5);
  });

  it('by the targets that may answer: requires, route, rules, and plugins that exclude by tag', async () => {
    const residency: Plugin = {
      name: 'residency',
      eligible: ({ provider }, { tags }) =>
        tags.region !== 'eu' || provider === 'b' || 'not in the EU',
    };
    for (const where of ['outside', 'inside'] as const) {
      const { router, a } = setUp({
        [where]: [residency],
        routing: {
          rules: [{ name: 'r', when: { tags: { plan: 'free' } }, use: ['b/m'] }],
        },
      });
      const targetOf = async (options: object) =>
        (await router.complete('t', 'hi', options)).target;
      expect(await targetOf({})).toBe('a/m');
      expect(await targetOf({ tags: { region: 'eu' } })).toBe('b/m');
      expect(await targetOf({ requires: { regions: ['eu'] } })).toBe('b/m');
      expect(await targetOf({ route: { only: ['b'] } })).toBe('b/m');
      expect(await targetOf({ tags: { plan: 'free' } })).toBe('b/m');
      expect(await targetOf({ tags: { region: 'us' } })).toBe('a/m');
      expect(a.calls).toHaveLength(1);
    }
  });

  it('by what the call requires on whose behalf it is made', async () => {
    const targets: string[] = [];
    const asks: Plugin = {
      name: 'asks',
      async onRequest(request, call) {
        if (call.tier === 't') targets.push((await call.ask('both', 'is it nice?')).target);
        return request;
      },
    };
    const { router } = setUp({
      outside: [asks],
      routing: { tiers: { t: ['b/m'], both: ['a/m', 'b/m'] } } as object,
    });
    await router.complete('t', 'hi');
    await router.complete('t', 'hi', { requires: { regions: ['eu'] } });
    expect(targets).toEqual(['a/m', 'b/m']);
  });

  it('by the keys of providers that depend on tags', async () => {
    const keyFor = ({ customer = '' }) => ({ fingerprint: customer });
    const { router, a } = setUp({ a: { keyFor } });
    const ask = (customer: string) => router.complete('t', 'hi', { tags: { customer } });
    for (const customer of ['x', 'y', 'x']) await ask(customer);
    expect(a.calls).toHaveLength(2);
  });

  it('by router', async () => {
    const plugins = [responseCache()];
    const texts = ['one', 'two'].map(async (text) => {
      const a = fakeProvider(text);
      const router = createRouter({ providers: { a }, tiers: { t: ['a/m'] }, plugins });
      return (await router.complete('t', 'hi')).text;
    });
    expect(await Promise.all(texts)).toEqual(['one', 'two']);
  });
});

describe('vectors', () => {
  it('are cached by batch', async () => {
    const { provider, requests } = vectors();
    const { router } = setUp({ a: provider });
    const first = await router.embed('other', ['a', 'bb', 'ccc']);
    expect(first.cached).toBeUndefined();
    const again = await router.embed('other', ['a', 'bb', 'ccc']);
    expect(again.vectors).toEqual(first.vectors);
    expect(again).toMatchObject({ cached: true, cost: { usd: 0, savedUsd: first.cost.usd } });
    expect(requests).toHaveLength(2);
    const partly = await router.embed('other', ['a', 'bb', 'dddd'], { concurrency: 1 });
    expect(partly.cached).toBeUndefined();
    expect(partly.cost).toMatchObject({ usd: 1, savedUsd: 1 });
    expect(requests).toHaveLength(3);
    await router.embed('other', ['a', 'bb'], { dimensions: 3 });
    await router.embed('other', ['a', 'bb'], { cacheResponse: false });
    expect(requests).toHaveLength(5);
  });
});

it('does not let an error carry text of the prompt', async () => {
  const { router } = setUp({ script: { error: new SignalboxError('invalid_request', 'no') } });
  const error = await router.complete('t', 'secret-words').catch((thrown: Error) => thrown);
  expect(JSON.stringify(error)).not.toContain('secret-words');
});
