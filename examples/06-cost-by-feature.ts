// What does each feature cost? Tag the calls, and add up the `cost` events: there is one for each billed
// attempt, failed ones included, so that the sum is the bill.
import { createRouter } from 'signalbox';
import { close, providers } from './providers.ts';

const router = createRouter({
  providers,
  tiers: {
    fast: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'],
    smart: ['anthropic/claude-sonnet-4-6', 'openai/gpt-5.4'],
  },
  tags: { service: 'shop' },
});

const bill = new Map<string, number>();
let unknown = 0;
router.on('cost', ({ tags, usd }) => {
  const feature = tags.feature ?? 'other';
  // `null` is a price that nobody knows, which is not the same as free.
  if (usd === null) unknown += 1;
  else bill.set(feature, (bill.get(feature) ?? 0) + usd);
});

await Promise.all([
  router.complete('fast', 'Find red shoes', { tags: { feature: 'search' } }),
  router.complete('fast', 'Find a blue hat', { tags: { feature: 'search' } }),
  router.complete('smart', 'Answer this complaint', { tags: { feature: 'support' } }),
]);

for (const [feature, usd] of bill) console.log(`${feature}: $${usd.toFixed(6)}`);
const total = [...bill.values()].reduce((sum, usd) => sum + usd, 0);
console.log(`total: $${total.toFixed(6)}, and ${unknown} answers of unknown price`);

await router.close();
await close();
