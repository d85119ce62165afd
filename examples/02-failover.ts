// The first vendor is down. The second answers, and the trail shows why.
import { createRouter } from 'signalbox';
import { close, providers, simulators } from './providers.ts';

const router = createRouter({
  providers,
  tiers: {
    fast: {
      targets: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'],
      timeouts: { firstTokenMs: 5_000, totalMs: 20_000 },
    },
  },
});

router.on('failover', ({ from, to, error }) => {
  console.log(`failover from ${from} to ${to}, because of ${error.code}`);
});

// Affects only the simulated OpenAI. With a real key, the first target answers.
simulators.openai.down();

const answer = await router.complete('fast', 'Say hello in one short sentence.');

console.log(answer.text);
for (const { target, outcome, verdict, error } of answer.trail) {
  console.log(`  ${target}: ${outcome} ${error?.code ?? ''} -> ${verdict}`);
}

await router.close();
await close();
