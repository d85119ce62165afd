// Customers bring their own keys: each call is paid with the key of its customer, and a revoked key is its customer's
// problem alone.
import { createRouter } from 'signalbox';
import { openai } from 'signalbox/openai';
import { close, providers, simulators } from './providers.ts';

const keys = new Map([
  ['acme', 'key-of-acme'],
  ['initech', 'bad-key'],
]);

const router = createRouter({
  providers: {
    // Remove baseURL to call the real vendor.
    openai: openai({
      apiKey: ({ tags }) => keys.get(tags.customer ?? ''),
      baseURL: simulators.openai.baseURL,
    }),
    anthropic: providers.anthropic,
  },
  tiers: { fast: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'] },
});

router.on('credential-rejected', ({ tags, provider }) => {
  console.log(`ask ${tags.customer} for another key of ${provider}`);
});

for (const customer of ['acme', 'initech', 'initech', 'acme', 'hooli']) {
  const { target, trail } = await router.complete('fast', 'Hello', { tags: { customer } });
  const [first] = trail;
  const why = first?.outcome === 'ok' ? '' : `: ${first?.error?.code ?? first?.reason}`;
  console.log(`${customer}: ${target}${why}`);
}

const { keysByTags } = router.snapshot().targets['openai/gpt-5.4-mini'] ?? {};
console.log(`${keysByTags?.known} keys, ${keysByTags?.unavailable} of them unavailable`);

await router.close();
await close();
