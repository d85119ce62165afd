import { MemoryStore } from '../../src/internal/memory-store.ts';
import type { Eventually, Store } from '../../src/protocol/store.ts';

/** A store in memory that records what a router does with its reservations. `slow`: every answer is a promise. */
export function checkedStore({ slow = false }: { readonly slow?: boolean } = {}) {
  const inner = new MemoryStore('checked');
  /** Times that each reservation was settled. */
  const settles = new Map<string, number>();
  /** What was reserved last, by id and by key. */
  const reserved = new Map<string, ReadonlyMap<string, number>>();
  let peak = 0;
  let excess = 0;
  let fails: 'reserve' | 'settle' | undefined;
  const given = <Value>(value: Value): Eventually<Value> =>
    slow ? Promise.resolve().then(() => value) : value;
  const failing = (operation: 'reserve' | 'settle'): void => {
    if (fails === operation) throw new Error('the disk is full');
  };
  const store: Store = {
    name: 'checked',
    survivesRestart: true,
    reserve(id, claims, time) {
      failing('reserve');
      const made = inner.reserve(id, claims, time);
      if (made.ok && !settles.has(id)) settles.set(id, 0);
      if (made.ok) {
        reserved.set(id, new Map(claims.map(({ counter, amount }) => [counter.key, amount])));
      }
      for (const { settled, reserved } of inner.list('', { now: time.now, max: 100 })) {
        peak = Math.max(peak, settled + reserved);
      }
      return given(made);
    },
    settle(id, used, now) {
      settles.set(id, (settles.get(id) ?? 0) + 1);
      failing('settle');
      for (const { counter, amount } of used) {
        excess += Math.max(0, amount - (reserved.get(id)?.get(counter.key) ?? 0));
      }
      return given(inner.settle(id, used, now));
    },
    read: (counters, now) => given(inner.read(counters, now)),
    list: (prefix, options) => given(inner.list(prefix, options)),
    fact: (key, now) => inner.fact(key, now),
    setFact: (key, value, time) => inner.setFact(key, value, time),
    document: (key) => inner.document(key),
    replaceDocument: (key, value, version) => inner.replaceDocument(key, value, version),
    watch: (key, listener) => inner.watch(key, listener),
    close: () => inner.close(),
  };
  return {
    store,
    settles,
    failAt(operation: 'reserve' | 'settle' | undefined): void {
      fails = operation;
    },
    /** The most that was settled and reserved under one counter. */
    get peak() {
      return peak;
    },
    /** What was settled beyond what was reserved for it, of all counters. */
    get excess() {
      return excess;
    },
    /** Of all counters. */
    sums(now: number) {
      const all = inner.list('', { now, max: 10_000 });
      return {
        settled: all.reduce((sum, each) => sum + each.settled, 0),
        reserved: all.reduce((sum, each) => sum + each.reserved, 0),
      };
    },
  };
}
