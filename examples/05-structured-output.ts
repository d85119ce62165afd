// Structured output. `object` has the schema's type. An answer that does not match the schema is sent back to
// the model with the problems; then the next target is tried.
import { createRouter } from 'signalbox';
import { z } from 'zod';
import { close, providers, simulators } from './providers.ts';

const router = createRouter({
  providers,
  tiers: { extract: ['openai/gpt-5.4-mini', 'google/gemini-3-flash-preview'] },
});

const schema = z.object({
  city: z.string(),
  country: z.string().length(2),
  people: z.number().int(),
});

// Without a key, the first simulated answer is invalid (`country` has two letters), the second one is valid.
const answers = [
  { city: 'Lisbon', country: 'Portugal', people: 567_131 },
  { city: 'Lisbon', country: 'PT', people: 567_131 },
].values();
simulators.openai.answer(() => JSON.stringify(answers.next().value));

const { object, trail } = await router.complete(
  'extract',
  'Lisbon, the capital of Portugal, has 567,131 inhabitants.',
  { schema },
);

console.log(`${object.city} (${object.country}): ${object.people.toLocaleString('en')} people`);
for (const { target, verdict, error } of trail) {
  console.log(`  ${target}: ${error?.code ?? 'matches the schema'} -> ${verdict}`);
}

await router.close();
await close();
