// An answer with a shape. `object` has the schema's type, and an answer that does not fit is not an answer:
// the model is shown what is wrong with it, then the next target is asked.
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

// Without a key: wrong at first (a country has two letters here), mended when asked again.
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
  console.log(`  ${target}: ${error?.code ?? 'fits the schema'} -> ${verdict}`);
}

await router.close();
await close();
