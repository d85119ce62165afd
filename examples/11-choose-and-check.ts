// What a tier can say of its targets and answers: every strategy, and how answers are checked.
import { createRouter } from 'signalbox';
import { close, providers, simulators } from './providers.ts';

const targets = ['openai/gpt-5.4-mini', 'google/gemini-3-flash-preview'] as const;

const router = createRouter({
  providers,
  tiers: {
    priority: { targets, strategy: 'priority' },
    weighted: {
      targets: [{ target: targets[0], weight: 9 }, { target: targets[1] }],
      strategy: 'weighted',
    },
    'round-robin': { targets, strategy: 'round-robin' },
    'least-busy': { targets, strategy: 'least-busy' },
    cheapest: { targets, strategy: 'cheapest' },
    fastest: { targets, strategy: { type: 'fastest', by: 'total' } },
    balanced: {
      targets,
      strategy: { type: 'balanced', cost: 2, latency: 1, failure: 1 },
      // Slower targets are tried last.
      requires: { p95FirstTokenMs: 2_000, p95TotalMs: 30_000 },
    },
    checked: {
      targets: [
        {
          target: targets[0],
          // What you know of the model wins over what signalbox knows.
          contextWindow: 400_000,
          outputLimit: 64_000,
          capabilities: ['tools', 'structured-output'],
          retirementDate: '2027-12-31',
        },
      ],
      // Every answer must be JSON with a city.
      validators: {
        minLength: 10,
        pattern: '"city"',
        jsonSchema: { type: 'object', properties: { city: { type: 'string' } } },
      },
      // After an answer that fails the check, this target is next.
      fallbacks: { invalid_output: ['anthropic/claude-haiku-4-5'] },
      // A slow answer counts against the circuit; a trickle is left while nobody has read it.
      slowMs: 20_000,
      minTokensPerSecond: 5,
      retry: { attempts: 0 },
    },
  },
});

for (const tier of ['priority', 'round-robin', 'least-busy', 'cheapest', 'fastest'] as const) {
  console.log(`${tier}: ${(await router.complete(tier, 'Hello')).target}`);
}
const answers = await Promise.all(
  Array.from({ length: 10 }, () => router.complete('weighted', 'Hello')),
);
console.log(`weighted: ${answers.filter(({ target }) => target === targets[0]).length} of 10`);
console.log(`balanced: ${(await router.complete('balanced', 'Hello')).target}`);

simulators.openai.answer({ text: 'Lisbon' });
simulators.anthropic.answer({ text: '{ "city": "Lisbon" }' });
const { text, trail } = await router.complete('checked', 'Which city? Answer in JSON.');
console.log(`checked: ${trail[0]?.error?.code}, then ${trail.at(-1)?.target}: ${text}`);

const { candidates, skipped } = await router.explain('checked', [
  {
    role: 'user',
    content: [{ type: 'image', source: { url: 'https://example.com/cat.png' } }],
  },
]);
console.log(`${candidates.length} may take an image: ${skipped[0]?.reason}`);
console.log(router.snapshot().targets[targets[0]]?.model);

await router.close();
await close();
