/**
 * A router that spends from a file store until it is killed. Prints each `cost` event, in its turn: what is printed was
 * acknowledged. Arguments: the path of the store, the URL of a vendor that answers with its usage.
 */
import { writeSync } from 'node:fs';
import { createRouter, type Provider, type ProviderPart, type Usage } from '../../src/index.ts';
import { openFileStore } from '../../src/stores/file-store.ts';
import { growthBytes } from './kill-worlds.ts';

const concurrency = 8;
const [path = '', url = ''] = process.argv.slice(2);

async function* answer(signal: AbortSignal): AsyncGenerator<readonly ProviderPart[]> {
  const response = await fetch(url, { signal });
  const usage = (await response.json()) as Usage;
  yield [{ type: 'open' }, { type: 'text-delta', delta: 'fine' }];
  yield [
    { type: 'part-end', part: { type: 'text', text: 'fine' } },
    { type: 'finish', finishReason: 'stop', usage },
  ];
}

const vendor: Provider = {
  wire: 'loopback',
  capabilities: () => new Set(),
  preload: async () => undefined,
  prepare: () => ({ warnings: [], send: ({ signal }) => answer(signal) }),
};

const router = createRouter({
  providers: { a: vendor, b: vendor },
  // Answers that are rejected are billed too.
  tiers: { t: { targets: ['a/m', 'b/m'], maxOutputTokens: 50, repairAttempts: 1 } },
  prices: { 'a/m': { input: 1, output: 1 }, 'b/m': { input: 1, output: 1 } },
  budgets: {
    all: { usd: 1_000, tokens: 1e9, requests: 1e9, per: 'month' },
    user: { by: 'user', tokens: 1e9, per: 'month' },
  },
  store: openFileStore(path, growthBytes),
});
router.on('cost', ({ usage }) => void writeSync(1, `${usage.totalTokens}\n`));

async function spend(worker: number): Promise<void> {
  const validate = () => Math.random() < 0.8;
  for (;;) {
    const tags = { user: `u-${worker % 3}` };
    await router.complete('t', 'hi', { tags, validate }).catch(() => undefined);
  }
}

await Promise.all(Array.from({ length: concurrency }, (_, worker) => spend(worker)));
