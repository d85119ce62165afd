// Personal data stays in your process: the vendor sees placeholders, and your application the values.
import { createRouter } from 'signalbox';
import { openai } from 'signalbox/openai';
import { redactPii } from 'signalbox/policies';
import { close, settingsOf, simulators } from './providers.ts';

simulators.openai.answer(({ body }) => {
  console.log(`sent: ${JSON.stringify(body).match(/Reply to [^"]+/)?.[0]}`);
  return 'Dear Ada, we will write to <EMAIL_1> and call **<phone_1>**.';
});

const router = createRouter({
  providers: { openai: openai(settingsOf('openai')) },
  tiers: { fast: ['openai/gpt-5.4-mini'] },
  plugins: [
    redactPii({
      regions: ['US', 'DE'],
      custom: { customer: /\bC-\d{6}\b/ },
    }),
  ],
});

const prompt = 'Reply to Ada (customer C-204811, ada@example.com, 030 9018200).';
let read = '';
for await (const text of router.stream('fast', prompt).textStream) read += text;
console.log(`read: ${read}`);

await router.close();
await close();
