// Feedback on answers: a target whose answers score low is tried after the others. And a target demoted by hand.
import { createRouter } from 'signalbox';
import { anthropic } from 'signalbox/anthropic';
import { openai } from 'signalbox/openai';
import { close, settingsOf } from './providers.ts';

const router = createRouter({
  providers: {
    openai: openai(settingsOf('openai')),
    anthropic: anthropic(settingsOf('anthropic')),
  },
  tiers: {
    fast: {
      targets: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'],
      requires: { minQuality: 0.7 },
    },
  },
});

router.once('feedback', ({ target, score, reason }) => {
  console.log(`feedback: ${target} ${score} (${reason})`);
});

const answered: string[] = [];
for (let call = 0; call < 12; call += 1) {
  const { callId, target } = await router.complete('fast', 'Summarize this.');
  answered.push(target);
  // What your application learns later: here, only Anthropic's answers are good.
  const isGood = target.startsWith('anthropic/');
  router.feedback(callId, { score: isGood ? 1 : 0.4, reason: isGood ? 'kept' : 'edited' });
}
console.log(`first ${answered[0]}, in the end ${answered.at(-1)}`);
const { demoted = [] } = await router.explain('fast', 'Summarize this.');
for (const { target, reason } of demoted) console.log(`${target}: ${reason}`);

const demotion = router.demote('anthropic/claude-haiku-4-5');
const { candidates } = await router.explain('fast', 'Summarize this.');
console.log(`demoted too: ${candidates.map(({ target }) => target).join(', ')}`);
demotion.restore();

await router.close();
await close();
