import { describe, expect, it } from 'vitest';
import { isSignalboxError } from '../../src/errors.ts';
import type { Validators } from '../../src/protocol/config.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeEntry, type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

function setUp(validators: Validators, a: FakeScript, b: FakeScript = 'from b, long enough') {
  const runtime = fakeRuntime({ time: 'auto' });
  const providers = { a: fakeProvider(a, { runtime }), b: fakeProvider(b, { runtime }) };
  const tiers = { t: { targets: ['a/m', 'b/m'], validators } } as const;
  return { router: createRouter({ runtime, providers, tiers }), providers };
}

const city = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };

describe('validators of a tier', () => {
  it.each<[string, Validators, FakeEntry, string]>([
    ['is too short', { minLength: 10 }, '   short   ', 'write at least 10 characters'],
    ['does not match', { pattern: '^..city' }, 'Bern', 'regular expression ^..city'],
    ['is not JSON', { jsonSchema: city }, 'Bern', 'not valid JSON'],
    ['is fenced JSON', { jsonSchema: city }, '```json\n{"city":"Bern"}\n```', 'not valid JSON'],
    ['does not fit the schema', { jsonSchema: city }, '{"city":1}', 'city: '],
  ])('asks for a repair, then the next target, when the text %s', async (_, set, answer, hint) => {
    const { router, providers } = setUp(set, answer, '{"city":"Bern and more"}');
    const { text, trail } = await router.complete('t', 'hi');
    expect(text).toBe('{"city":"Bern and more"}');
    expect(trail).toMatchObject([
      { target: 'a/m', verdict: 'retry', error: { code: 'invalid_output' } },
      { target: 'a/m', verdict: 'next', error: { code: 'invalid_output' } },
      { target: 'b/m', verdict: 'done' },
    ]);
    expect(JSON.stringify(providers.a.calls[1]?.request.messages)).toContain(hint);
  });

  it('accepts a repaired answer', async () => {
    const { router } = setUp({ minLength: 5, pattern: 'lo+ng' }, ['no', 'looong']);
    const { text, trail } = await router.complete('t', 'hi');
    expect(text).toBe('looong');
    expect(trail).toHaveLength(2);
  });

  it('keeps the text of the answer out of the message', async () => {
    const { router } = setUp({ pattern: 'x' }, 'a secret', 'a secret');
    const error: unknown = await router.complete('t', 'hi').catch((reason: unknown) => reason);
    if (!isSignalboxError(error)) throw new Error('it passed');
    expect(error.message).toContain('does not match the pattern of validators');
    expect(error.message).not.toContain('secret');
  });

  it('checks before `validate`, which must pass too', async () => {
    const { router } = setUp({ minLength: 3 }, 'abc', 'defg');
    const seen: string[] = [];
    const validate = ({ text }: { readonly text: string }) => seen.push(text) > 2;
    await router.complete('t', 'hi', { validate });
    expect(seen).toEqual(['abc', 'abc', 'defg']);
  });

  it('does not check a turn that calls tools', async () => {
    const tools = [{ name: 'find', inputSchema: { type: 'object' } }];
    const toolCalls = [{ name: 'find', input: {} }];
    const { router } = setUp({ minLength: 100, jsonSchema: city }, { toolCalls });
    const { trail } = await router.complete('t', 'hi', { tools });
    expect(trail).toMatchObject([{ target: 'a/m', verdict: 'done' }]);
  });

  it('fails a stream whose reader has seen the text', async () => {
    const { router } = setUp({ minLength: 10 }, 'short');
    await expect(router.stream('t', 'hi').completion).rejects.toMatchObject({
      code: 'invalid_output',
      partial: { text: 'short' },
    });
  });

  it('applies the validators of the tier that was called to its fallbackTier', async () => {
    const runtime = fakeRuntime({ time: 'auto' });
    const providers = {
      a: fakeProvider('short', { runtime }),
      b: fakeProvider('long enough', { runtime }),
    };
    const router = createRouter({
      runtime,
      providers,
      tiers: {
        t: { targets: ['a/m'], fallbackTier: 'u' },
        u: { targets: ['b/m'], validators: { minLength: 1_000 } },
      },
      defaults: { validators: { minLength: 6 }, repairAttempts: 0 },
    });
    expect((await router.complete('t', 'hi')).target).toBe('b/m');
    await expect(router.complete('u', 'hi')).rejects.toMatchObject({ code: 'all_targets_failed' });
  });

  it('reads the first 32,000 characters, in linear time', async () => {
    const text = `${'a'.repeat(31_999)}!`;
    const { router } = setUp({ pattern: '^(a+)+!$' }, `${text} and more`);
    expect((await router.complete('t', 'hi')).target).toBe('a/m');
    const late = setUp({ pattern: 'more' }, `${text} and more`, 'more');
    expect((await late.router.complete('t', 'hi')).target).toBe('b/m');
  });
});
