// Who may serve a call: what providers declare, what calls and tiers require, and where rules send calls.
import { createRouter, isSignalboxError } from 'signalbox';
import { anthropic } from 'signalbox/anthropic';
import { google } from 'signalbox/google';
import { openai } from 'signalbox/openai';
import { close, settingsOf } from './providers.ts';

const router = createRouter({
  providers: {
    openai: openai({ ...settingsOf('openai'), compliance: { region: 'us', noTraining: true } }),
    anthropic: anthropic(settingsOf('anthropic')),
    google: google({
      ...settingsOf('google'),
      compliance: { region: 'eu', noTraining: true, zeroRetention: true },
    }),
  },
  tiers: {
    fast: {
      // Anthropic declares nothing here, so it is never asked.
      targets: ['anthropic/claude-haiku-4-5', 'openai/gpt-5.4-mini'],
      requires: { noTraining: true, maxEstimatedUsd: 0.01 },
    },
  },
  rules: [
    {
      name: 'health data',
      when: { tags: { data: 'health' } },
      use: [
        'openai/gpt-5.4-mini',
        { target: 'google/gemini-3-flash-preview', maxOutputTokens: 200 },
      ],
    },
  ],
});

const requires = { regions: ['eu'] };
const tags = { data: 'health' };
const rules = new Map<string, string>();
router.on('route-plan', ({ tags, rule }) => {
  rules.set(tags.data ?? 'public', rule === undefined ? 'no rule' : `rule "${rule}"`);
});

const open = await router.complete('fast', 'What is aspirin?');
console.log(`public: ${open.target} (${rules.get('public')})`);
const health = await router.complete('fast', 'Summarize this diagnosis.', { tags, requires });
console.log(`health: ${health.target} (${rules.get('health')})`);

try {
  await router.complete('fast', 'Summarize this.', { requires: { regions: ['mars'] } });
} catch (error) {
  if (!isSignalboxError(error, 'all_targets_failed')) throw error;
  console.log(`no target may serve it:\n${error.message.split('\n').slice(1).join('\n')}`);
}

await router.close();
await close();
