// The router of these recipes. It is created once for the process, and not for each request.
import { createRouter } from 'signalbox';
import { providers } from '../providers.ts';

export const router = createRouter({
  providers,
  tiers: {
    chat: {
      targets: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'],
      maxOutputTokens: 1_000,
      timeouts: { totalMs: 60_000 },
    },
  },
});
