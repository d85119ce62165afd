// The AI SDK over a tier: its agents, tools and streams, with failover, cost and the trail of the router.
import { jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { createRouter } from 'signalbox';
import { tierModel } from 'signalbox/ai-sdk';
import { close, isReal, providers, simulators } from './providers.ts';

const router = createRouter({
  providers,
  tiers: { chat: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'] },
});

const weather = tool({
  description: 'The current weather in a city.',
  inputSchema: jsonSchema<{ city: string }>({
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
  }),
  execute: async ({ city }) => ({ city, celsius: 21, sky: 'clear' }),
});

// The first vendor is down. Without a key, the simulator of the second calls the tool, then answers with a sentence.
if (!isReal.openai) simulators.openai.down();
simulators.anthropic.answer(({ body }) =>
  JSON.stringify(body).includes('celsius')
    ? 'It is 21 degrees and clear in Lisbon.'
    : { toolCalls: [{ name: 'weather', input: { city: 'Lisbon' } }] },
);

const result = streamText({
  model: tierModel(router, 'chat', { tags: { feature: 'weather' } }),
  prompt: 'What is the weather in Lisbon?',
  tools: { weather },
  stopWhen: stepCountIs(3),
  providerOptions: { signalbox: { maxUsd: 0.5 } },
});
for await (const text of result.textStream) process.stdout.write(text);
console.log();

for (const { finishReason, providerMetadata } of await result.steps) {
  const { target, cost, trail } = providerMetadata?.signalbox ?? {};
  const attempts = Array.isArray(trail) ? trail.length : 0;
  console.log(`${finishReason}: ${target}, ${attempts} attempts, ${JSON.stringify(cost)}`);
}

await router.close();
await close();
