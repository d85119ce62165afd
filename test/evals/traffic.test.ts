import { describe, expect, it } from 'vitest';
import { watchTraffic } from '../../src/evals.ts';
import { createRouter, type RouterEvent } from '../../src/index.ts';
import { fakeProvider, fakeRuntime } from '../../src/testing.ts';

type Drift = Extract<RouterEvent, { type: 'drift-detected' }>;

/** A router whose target answers with texts of these lengths. */
function open(textOf: (n: number) => string | { readonly refusal: true }) {
  const runtime = fakeRuntime();
  const { random } = fakeRuntime({ seed: 3 });
  let count = 0;
  const answer = () => {
    count += 1;
    const text = textOf(count);
    return typeof text === 'string'
      ? { text, usage: { inputTokens: 10, outputTokens: text.length + Math.floor(random() * 3) } }
      : {
          text: 'no',
          finishReason: 'refusal' as const,
          usage: { inputTokens: 10, outputTokens: 2 },
        };
  };
  const router = createRouter({
    providers: { a: fakeProvider(answer, { runtime }) },
    ...{ runtime, tiers: { fast: ['a/x'], other: ['a/x'] } },
    prices: { 'a/x': { input: 1, output: 10 } },
  });
  const found: Drift[] = [];
  router.on('drift-detected', (event) => found.push(event));
  const call = async (times: number, tags: Record<string, string> = {}) => {
    for (let n = 0; n < times; n += 1) await router.complete('fast', 'hello', { tags });
  };
  return { router, call, found };
}

describe('watchTraffic', () => {
  it('reports answers that got longer, and dearer, once', async () => {
    const { router, call, found } = open((n) => 'x'.repeat(n <= 400 ? 10 : 40));
    watchTraffic(router, { referenceSize: 200 });
    await call(400);
    expect(found).toEqual([]);
    await call(400);
    const signals = found.map((each) => each.source === 'traffic' && each.signal);
    expect([found.length, new Set(signals)]).toEqual([2, new Set(['cost', 'longer-answers'])]);
    expect(found[0]).toMatchObject({
      ...{ callId: null, tier: 'fast', source: 'traffic', target: 'a/x' },
      ...{ before: expect.any(Number), after: expect.any(Number), answers: expect.any(Number) },
    });
  });

  it('reports refusals', async () => {
    const { router, call, found } = open((n) =>
      n > 300 && n % 2 === 0 ? { refusal: true } : 'answer',
    );
    watchTraffic(router, { referenceSize: 200 });
    await call(600);
    const refusals = found.find((each) => each.source === 'traffic' && each.signal === 'refusals');
    expect(refusals).toMatchObject({ before: 0, source: 'traffic' });
  });

  it('leaves out evals and other tiers, and ends with stop', async () => {
    const { router, call, found } = open((n) => 'x'.repeat(n <= 200 ? 10 : 40));
    watchTraffic(router, { referenceSize: 200, tiers: ['other'] });
    const watch = watchTraffic(router, { referenceSize: 200 });
    await call(200);
    await call(300, { eval: 'suite' });
    watch.stop();
    await call(300);
    expect(found).toEqual([]);
  });

  it('refuses options that mean nothing', () => {
    const { router } = open(() => '');
    expect(() => watchTraffic(router, { referenceSize: 3 })).toThrow('referenceSize');
    expect(() => watchTraffic(router, { falseAlarms: 2 })).toThrow('falseAlarms');
  });
});
