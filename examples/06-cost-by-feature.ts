// Cost per feature. Tag the calls and add up the `cost` events. There is one event per billed attempt,
// including failed attempts, so the sum is the total bill.
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

const usdByFeature = new Map<string, number>();
let unknown = 0;
router.on('cost', ({ tags, usd }) => {
  const feature = tags.feature ?? 'other';
  // `null` means that the price is unknown, not that the answer is free.
  if (usd === null) unknown += 1;
  else usdByFeature.set(feature, (usdByFeature.get(feature) ?? 0) + usd);
});

await Promise.all([
  router.complete('fast', 'Find red shoes', { tags: { feature: 'search' } }),
  router.complete('fast', 'Find a blue hat', { tags: { feature: 'search' } }),
  router.complete('smart', 'Answer this complaint', { tags: { feature: 'support' } }),
]);

for (const [feature, usd] of usdByFeature) console.log(`${feature}: $${usd.toFixed(6)}`);
const total = [...usdByFeature.values()].reduce((sum, usd) => sum + usd, 0);
console.log(`total: $${total.toFixed(6)}, and ${unknown} answers without a known price`);

await router.close();
await close();
