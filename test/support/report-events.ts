import type { Reports } from '../../src/apps/reports/create-reports.ts';
import type { RouterEvent, RouterEvents } from '../../src/protocol/events.ts';

type Common = {
  readonly at?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly drill?: string;
};

/** An event of a call to the tier `fast`. */
export function eventOf<Name extends 'call-end' | 'attempt-end' | 'cost' | 'feedback'>(
  type: Name,
  fields: Partial<RouterEvents[Name]> & Common = {},
): RouterEvent {
  const payloads = {
    'call-end': { status: 'ok', attempts: 1, durationMs: 100, usd: 0 },
    'attempt-end': {
      ...{ target: 'a/x', attempt: 1, outcome: 'ok', verdict: 'done', durationMs: 100 },
    },
    cost: {
      ...{ target: 'a/x', usd: 0, usage: { inputTokens: 0, outputTokens: 0, totalTokens: 0 } },
      breakdown: { input: 0, cachedInput: 0, cacheWrite: 0, output: 0 },
      priced: 'exact',
    },
    feedback: { target: 'a/x', model: 'x', servedModel: 'x', score: 1 },
  } as const;
  const common = { at: 0, callId: 'call', tier: 'fast', tags: {} };
  return { type, ...common, ...payloads[type], ...fields } as unknown as RouterEvent;
}

/** A call of a user that costs so much. */
export function addCall(reports: Reports, user: string, usd: number, at = 0): void {
  const common = { at, tags: { user } };
  reports.add(eventOf('cost', { ...common, usd }));
  reports.add(eventOf('call-end', { ...common, usd }));
}
