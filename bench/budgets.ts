/**
 * What a budget adds to a call: CPU time with an in-process provider that answers immediately, beside the same call
 * without one, and promises per call.
 */
import { createHook } from 'node:async_hooks';
import { createRouter, type Provider, type ProviderPart, type RouterConfig } from 'signalbox';
import { cpuOf, median, runMany } from './measure.ts';

const usage = { inputTokens: 20, outputTokens: 100, totalTokens: 120 };
const concurrency = 16;
const count = 10_000;

async function* answer(): AsyncGenerator<readonly ProviderPart[]> {
  yield [{ type: 'open' }, { type: 'text-delta', delta: 'x' }];
  yield [{ type: 'part-end', part: { type: 'text', text: 'x' } }];
  yield [{ type: 'finish', finishReason: 'stop', usage }];
}

const vendor: Provider = {
  wire: 'echo',
  priceList: 'openai',
  capabilities: () => new Set(['tools']),
  preload: async () => undefined,
  prepare: () => ({ warnings: [], send: () => answer() }),
};

type Budgets = RouterConfig<'vendor', 't'>['budgets'];

function callUnder(budgets: Budgets): () => Promise<unknown> {
  const router = createRouter({
    providers: { vendor },
    tiers: { t: { targets: ['vendor/gpt-5.4-mini'], maxOutputTokens: 200 } },
    tags: { user: 'u-17' },
    budgets,
  });
  return () => router.complete('t', 'hi', { transfer: 'unary' });
}

const requests = 1_000_000_000;
const without = callUnder({});
const rows: readonly (readonly [string, () => Promise<unknown>])[] = [
  ['requests', callUnder({ all: { requests, per: 'hour' } })],
  ['requests by user', callUnder({ all: { by: 'user', requests, per: 'hour' } })],
  ['US dollars', callUnder({ all: { usd: 1_000_000, per: 'hour' } })],
];

let promises = 0;
const hook = createHook({
  init: (_, type) => {
    if (type === 'PROMISE') promises += 1;
  },
});

async function promisesOf(call: () => Promise<unknown>): Promise<number> {
  promises = 0;
  hook.enable();
  await runMany(400, concurrency, call);
  hook.disable();
  return promises / 400;
}

for (const [name, call] of rows) {
  const pairs: (readonly [number, number])[] = [];
  for (let round = 0; round < 10; round += 1) {
    const plain = await cpuOf(count, concurrency, without);
    const budgeted = await cpuOf(count, concurrency, call);
    if (round >= 3) pairs.push([plain, budgeted]);
  }
  const more = median(pairs.map(([plain, budgeted]) => budgeted - plain));
  const ratio = median(pairs.map(([plain, budgeted]) => budgeted / plain));
  const added = (await promisesOf(call)) - (await promisesOf(without));
  console.log(
    `${name}: ${more.toFixed(1)} us more per call, ratio ${ratio.toFixed(2)}, ${added.toFixed(1)} promises more`,
  );
}
process.exit();
