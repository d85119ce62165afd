// Budgets: each user may spend so much a day, and one feature goes on with a cheaper model.
import { createRouter, isSignalboxError } from 'signalbox';
import { anthropic } from 'signalbox/anthropic';
import { openai } from 'signalbox/openai';
import { close, settingsOf } from './providers.ts';

const router = createRouter({
  providers: {
    openai: openai(settingsOf('openai')),
    anthropic: anthropic(settingsOf('anthropic')),
  },
  tiers: {
    chat: {
      targets: ['anthropic/claude-haiku-4-5', 'openai/gpt-5.4-mini'],
      maxOutputTokens: 100,
    },
  },
  budgets: {
    user: { by: 'user', requests: 2, per: 'hour' },
    search: { match: { feature: 'search' }, usd: 0.0005, per: 'hour', onExceeded: 'downgrade' },
  },
});

for (const user of ['ann', 'ann', 'ann', 'bob']) {
  try {
    const { target, cost } = await router.complete('chat', 'Say hello.', { tags: { user } });
    console.log(`${user}: ${target}, $${cost.usd}`);
  } catch (error) {
    if (!isSignalboxError(error, 'budget_exceeded')) throw error;
    console.log(`${user}: over budget "${error.budget}", answer with 402`);
  }
}

const tags = { user: 'eve', feature: 'search' };
const found = await router.complete('chat', 'Find red shoes.', { tags });
console.log(`search: ${found.target}, because ${found.trail[0]?.reason}`);

for (const { name, by, unit, settled, limit } of router.snapshot().budgets ?? []) {
  console.log(`${name} ${by ?? ''}: ${settled} of ${limit} ${unit}`);
}

await router.close();
await close();
