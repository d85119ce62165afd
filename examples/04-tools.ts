// The model calls your function. zod types its input and validates it before your code runs.
import { createRouter, type Message } from 'signalbox';
import { z } from 'zod';
import { close, providers, simulators } from './providers.ts';

const tools = [
  {
    name: 'get_weather',
    description: 'The current weather in a city.',
    inputSchema: z.object({ city: z.string() }),
  },
] as const;

function getWeather({ city }: { city: string }) {
  return { city, celsius: 21, sky: 'clear' };
}

const router = createRouter({
  providers,
  tiers: { tools: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'] },
});

// Without a key, the simulator first calls the tool, then answers with a sentence.
simulators.openai.answer(({ body }) =>
  JSON.stringify(body).includes('celsius')
    ? 'It is 21 degrees and clear in Lisbon.'
    : { toolCalls: [{ name: 'get_weather', input: { city: 'Lisbon' } }] },
);

const messages: Message[] = [{ role: 'user', content: 'What is the weather in Lisbon?' }];
for (let turn = 0; turn < 5; turn++) {
  const { content, toolCalls, text } = await router.complete('tools', messages, { tools });
  if (text !== '') console.log(`answer: ${text}`);
  if (toolCalls.length === 0) break;
  const results = toolCalls.map(({ id, name, input }) => {
    console.log(`call: ${name}(${JSON.stringify(input)})`);
    return { type: 'tool-result' as const, id, name, output: getWeather(input) };
  });
  messages.push({ role: 'assistant', content }, { role: 'tool', content: results });
}

await router.close();
await close();
