// Makes one call and prints which target answered, its latency and its cost.
import { createRouter } from 'signalbox';
import { close, providers } from './providers.ts';

const router = createRouter({
  providers,
  tiers: {
    fast: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5', 'google/gemini-3-flash-preview'],
  },
});

const answer = await router.complete('fast', 'Say hello in one short sentence.');

console.log(answer.text);
console.log(`${answer.target} in ${Math.round(answer.latency.totalMs)} ms`);
console.log(`${answer.usage.totalTokens} tokens, ${answer.cost.usd} US dollars`);

await router.close();
await close();
