// A cache of responses: a repeated question costs nothing, ten at once are one request, and tenants are kept apart.
import { createRouter } from 'signalbox';
import { responseCache } from 'signalbox/cache';
import { openai } from 'signalbox/openai';
import { close, settingsOf } from './providers.ts';

const router = createRouter({
  providers: { openai: openai(settingsOf('openai')) },
  tiers: { fast: ['openai/gpt-5.4-mini'] },
  plugins: [responseCache({ ttlMs: 600_000, namespace: ['tenant'] })],
});

let requests = 0;
let savedUsd = 0;
router.on('attempt-start', () => {
  requests += 1;
});
router.on('call-end', (event) => {
  savedUsd += event.savedUsd ?? 0;
});

const ask = (tenant: string) =>
  router.complete('fast', 'Name a Portuguese city.', { tags: { tenant } });

await Promise.all(Array.from({ length: 10 }, () => ask('acme')));
console.log(`ten at once: ${requests} request`);

const { cached, cost } = await ask('acme');
console.log(`again: cached ${cached}, $${cost.usd}, saved ${(cost.savedUsd ?? 0) > 0}`);

const other = await ask('initech');
console.log(`another tenant: cached ${other.cached === true}`);

const stream = router.stream('fast', 'Name a Portuguese city.', { tags: { tenant: 'acme' } });
let deltas = 0;
for await (const _ of stream.textStream) deltas += 1;
const { text } = await stream.completion;
console.log(`a stream of ${deltas > 0 && text !== '' ? 'the same answer' : 'nothing'}`);
console.log(`${requests} requests for 13 calls, saved: ${savedUsd > 0}`);

await router.close();
await close();
