/** Router overhead: CPU time with an in-process provider that answers immediately. */
import { createRouter, type Provider, type ProviderPart } from 'signalbox';
import { cpuOf, median } from './measure.ts';

const usage = { inputTokens: 20, outputTokens: 100, totalTokens: 120 };
const deltas = 200;

async function* answer(count: number): AsyncGenerator<readonly ProviderPart[]> {
  yield [{ type: 'open', servedModel: 'gpt-5.4-mini' }];
  for (let each = 0; each < count; each++) yield [{ type: 'text-delta', delta: 'x' }];
  yield [{ type: 'part-end', part: { type: 'text', text: 'x'.repeat(count) } }];
  yield [{ type: 'finish', finishReason: 'stop', usage }];
}

const immediateProvider = (count: number): Provider => ({
  wire: 'echo',
  priceList: 'openai',
  capabilities: () => new Set(['tools']),
  preload: async () => undefined,
  prepare: () => ({ warnings: [], send: () => answer(count) }),
});

const router = createRouter({
  providers: {
    short: immediateProvider(1),
    spare: immediateProvider(1),
    long: immediateProvider(deltas + 1),
  },
  tiers: {
    short: ['short/gpt-5.4-mini', 'spare/gpt-5.4-mini'],
    long: ['long/gpt-5.4-mini', 'spare/gpt-5.4-mini'],
  },
});

async function read(tier: 'short' | 'long'): Promise<void> {
  for await (const _ of router.stream(tier, 'hi'));
}

const call = () => router.complete('short', 'hi', { transfer: 'unary' });
/** Cost of the provider's generator, which is subtracted. */
async function bare(count: number): Promise<void> {
  for await (const _ of answer(count));
}

const runs = { call: [], chunk: [] } as { call: number[]; chunk: number[] };
for (let round = 0; round < 12; round++) {
  const ofCall = (await cpuOf(10_000, 16, call)) - (await cpuOf(10_000, 16, () => bare(1)));
  const short =
    (await cpuOf(2_000, 16, () => read('short'))) - (await cpuOf(2_000, 16, () => bare(1)));
  const long =
    (await cpuOf(500, 16, () => read('long'))) - (await cpuOf(500, 16, () => bare(deltas + 1)));
  if (round < 3) continue;
  runs.call.push(ofCall);
  runs.chunk.push((long - short) / deltas);
}
console.log(`router overhead per call: ${median(runs.call).toFixed(1)} us`);
console.log(`router overhead per chunk: ${median(runs.chunk).toFixed(2)} us`);
process.exit();
