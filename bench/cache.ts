/**
 * What the response cache costs: CPU time of a hit, and of a call that is not in the cache, beside the same call without a
 * cache. The provider is in-process and answers immediately, so a real call that is saved takes thousands of times as long.
 */
import { createRouter, type Provider, type ProviderPart } from 'signalbox';
import { responseCache } from 'signalbox/cache';
import { cpuOf, median } from './measure.ts';

const usage = { inputTokens: 20, outputTokens: 400, totalTokens: 420 };
const text = 'An answer of some length. '.repeat(60);
const concurrency = 16;
const count = 2_000;
const rounds = 7;

async function* answer(): AsyncGenerator<readonly ProviderPart[]> {
  yield [{ type: 'open' }, { type: 'text-delta', delta: text }];
  yield [{ type: 'part-end', part: { type: 'text', text } }];
  yield [{ type: 'finish', finishReason: 'stop', usage }];
}

const vendor: Provider = {
  wire: 'echo',
  priceList: 'openai',
  capabilities: () => new Set(['tools']),
  preload: async () => undefined,
  prepare: () => ({ warnings: [], send: () => answer() }),
};

const routing = { providers: { vendor }, tiers: { t: ['vendor/gpt-5.4-mini'] } } as const;
const plain = createRouter(routing);
const cached = createRouter({ ...routing, plugins: [responseCache()] });

for (const length of [100, 10_000]) {
  const prompt = 'x'.repeat(length);
  let misses = 0;
  const rows = {
    'without a cache': () => plain.complete('t', prompt),
    hit: () => cached.complete('t', prompt),
    miss: () => cached.complete('t', `${prompt}${misses++}`),
  };
  const times = Object.values(rows).map((): number[] => []);
  for (let round = 0; round < rounds + 2; round += 1) {
    for (const [index, call] of Object.values(rows).entries()) {
      const us = await cpuOf(count, concurrency, call);
      if (round >= 2) times[index]?.push(us);
    }
  }
  const shown = Object.keys(rows).map(
    (name, at) => `${name} ${median(times[at] ?? []).toFixed(0)}`,
  );
  console.log(`prompt of ${length} characters, us per call: ${shown.join(', ')}`);
}
process.exit();
