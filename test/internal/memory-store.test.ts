import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/internal/memory-store.ts';
import type { Counter } from '../../src/protocol/store.ts';

const day: Counter = { key: 'day', window: { until: 1_000 } };
const rolling: Counter = { key: 'rolling', window: { lastMs: 600 } };

describe('memoryStore', () => {
  it('reserves and settles', async () => {
    const store = memoryStore();
    const claim = { counter: day, amount: 6, limit: 10 };
    expect(await store.reserve('a', [claim], { now: 0, expiresAt: 100 })).toEqual({ ok: true });
    expect(await store.reserve('b', [claim], { now: 0, expiresAt: 100 })).toEqual({
      ok: false,
      refused: 0,
      state: { settled: 0, reserved: 6 },
    });
    await store.settle('a', [{ counter: day, amount: 3 }], 1);
    expect(await store.read([day], 1)).toEqual([{ settled: 3, reserved: 0 }]);
    expect(await store.reserve('b', [claim], { now: 1, expiresAt: 100 })).toEqual({ ok: true });
    expect(await store.read([day], 99)).toEqual([{ settled: 3, reserved: 6 }]);
    expect(await store.read([day], 100)).toEqual([{ settled: 3, reserved: 0 }]);
  });

  it('recovers when the clock was far ahead for a moment', async () => {
    const store = memoryStore();
    await store.settle('a', [{ counter: rolling, amount: 1 }], 1_000);
    await store.settle('b', [{ counter: rolling, amount: 2 }], 1e12);
    await store.settle('c', [{ counter: rolling, amount: 4 }], 1_100);
    expect(await store.read([rolling], 1_100)).toEqual([{ settled: 6, reserved: 0 }]);
    expect(await store.read([rolling], 1_700)).toEqual([{ settled: 0, reserved: 0 }]);
  });
});
