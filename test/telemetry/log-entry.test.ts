import { expect, it } from 'vitest';
import { createRouter, type RouterEvent, toLogEntry } from '../../src/index.ts';
import { fakeProvider, fakeRuntime } from '../../src/testing.ts';
import { eventOf } from '../support/report-events.ts';

it('keeps the fields of an event and adds a level', async () => {
  const runtime = fakeRuntime({ time: 'auto' });
  const router = createRouter({
    runtime,
    providers: { a: fakeProvider([{ error: 'overloaded' }], { runtime }), b: fakeProvider('b') },
    tiers: { fast: { targets: ['a/x', 'b/x'], retry: { attempts: 0 } } },
  });
  const events: RouterEvent[] = [];
  router.on('*', (event) => events.push(event));
  await router.complete('fast', 'hi');
  await router.close();
  const entries = events.map(toLogEntry);
  expect(entries.map(({ level, type }) => `${level} ${type}`)).toEqual([
    'debug call-start',
    'debug route-plan',
    'debug attempt-start',
    'warn attempt-end',
    'warn failover',
    'debug attempt-start',
    'debug first-token',
    'info cost',
    'info attempt-end',
    'info call-end',
  ]);
  const withoutLevel = entries.map(({ level: _, ...event }) => event);
  expect(JSON.parse(JSON.stringify(withoutLevel))).toEqual(JSON.parse(JSON.stringify(events)));
});

it('logs a failed call as an error', () => {
  expect(toLogEntry(eventOf('call-end', { status: 'error' })).level).toBe('error');
  expect(toLogEntry(eventOf('call-end', { status: 'aborted' })).level).toBe('info');
});

it('serializes what a listener or a store threw', () => {
  const error: Error & { self?: unknown } = new Error('listener broke', {
    cause: 'x'.repeat(9_000),
  });
  error.self = error;
  const common = { type: 'listener-error', at: 0, callId: null, tier: null, tags: {} } as const;
  const entry = toLogEntry({ ...common, event: 'cost', error });
  expect(entry).toMatchObject({
    ...{ level: 'error', event: 'cost', error: { type: 'Error', message: 'listener broke' } },
  });
  expect(JSON.stringify(entry).length).toBeLessThan(2_300);
  const stored = toLogEntry({ ...common, type: 'store-error', store: 'file', error });
  expect(stored).toMatchObject({ level: 'error', store: 'file', error: { type: 'Error' } });
  expect(JSON.stringify(stored).length).toBeLessThan(2_300);
});
