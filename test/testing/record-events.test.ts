import { describe, expect, expectTypeOf, test } from 'vitest';
import type { RouterEvent, RouterEvents } from '../../src/protocol/events.ts';
import { createEmitter } from '../../src/telemetry/emitter.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

const common = { at: 1, callId: 'call_1', tier: 'fast', tags: { feature: 'search' } };

const start: RouterEvent = { type: 'call-start', ...common, kind: 'chat', mode: 'complete' };
const cost = (usd: number | null, tags: Record<string, string> = {}): RouterEvent => ({
  type: 'cost',
  ...common,
  tags,
  target: 'fake/small',
  usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
  usd,
  breakdown: { input: 0, cachedInput: 0, cacheWrite: 0, output: 0 },
  priced: usd === null ? 'unknown' : 'exact',
});

function createSource() {
  return createEmitter(
    () => 0,
    () => ({}),
  );
}

describe('recordEvents', () => {
  test('records all events in order', () => {
    const source = createSource();
    const recorder = recordEvents(source);
    source.emit(start);
    source.emit(cost(1));
    source.emit(cost(2));
    expect(recorder.events).toEqual([start, cost(1), cost(2)]);
    expect(recorder.names).toEqual(['call-start', 'cost', 'cost']);
  });

  test('returns the events of one name, with its type', () => {
    const source = createSource();
    const recorder = recordEvents(source);
    source.emit(start);
    source.emit(cost(0.5));
    expect(recorder.of('cost').map(({ usd }) => usd)).toEqual([0.5]);
    expect(recorder.of('failover')).toEqual([]);
    expectTypeOf(recorder.of('failover')).toEqualTypeOf<readonly RouterEvents['failover'][]>();
  });

  test('sums the cost of all events or by tags', () => {
    const source = createSource();
    const recorder = recordEvents(source);
    expect(recorder.costUsd()).toBe(0);
    source.emit(cost(0.25, { feature: 'search', team: 'a' }));
    source.emit(cost(0.5, { feature: 'search', team: 'b' }));
    source.emit(cost(1, { feature: 'chat', team: 'a' }));
    expect(recorder.costUsd()).toBe(1.75);
    expect(recorder.costUsd({ feature: 'search' })).toBe(0.75);
    expect(recorder.costUsd({ feature: 'search', team: 'a' })).toBe(0.25);
    expect(recorder.costUsd({ feature: 'none' })).toBe(0);
  });

  test('returns null when a price is unknown', () => {
    const source = createSource();
    const recorder = recordEvents(source);
    source.emit(cost(0.25, { feature: 'search' }));
    source.emit(cost(null, { feature: 'chat' }));
    expect(recorder.costUsd()).toBeNull();
    expect(recorder.costUsd({ feature: 'search' })).toBe(0.25);
  });

  test('deletes its events on clear, without changing earlier lists', () => {
    const source = createSource();
    const recorder = recordEvents(source);
    source.emit(start);
    const before = recorder.events;
    recorder.clear();
    source.emit(cost(1));
    expect(before).toEqual([start]);
    expect(recorder.events).toEqual([cost(1)]);
  });

  test('records nothing after stop', () => {
    const source = createSource();
    const recorder = recordEvents(source);
    source.emit(start);
    recorder.stop();
    source.emit(cost(1));
    expect(recorder.events).toEqual([start]);
  });
});
