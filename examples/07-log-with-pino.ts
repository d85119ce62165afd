// Logs every event. Events contain no prompts, answers or keys.
import { pino } from 'pino';
import { createRouter, type EventName } from 'signalbox';
import { close, providers, simulators } from './providers.ts';

const logger = pino();

const router = createRouter({
  providers,
  tiers: { fast: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'] },
});

/** Events logged as warnings. */
const warnings: readonly EventName[] = ['circuit-open', 'failover', 'credential-rejected'];

router.on('*', ({ type, at: _at, ...event }) => {
  logger[warnings.includes(type) ? 'warn' : 'info'](event, type);
});

simulators.openai.fault({ type: 'status', kind: 'overloaded' });
await router.complete('fast', 'Say hello in one short sentence.');

await router.close();
await close();
