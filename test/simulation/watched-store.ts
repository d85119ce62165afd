import type { RouterEvent } from '../../src/index.ts';
import { MemoryStore } from '../../src/internal/memory-store.ts';
import type { Store } from '../../src/protocol/store.ts';
import { type Budgets, matches } from './budgets.ts';
import type { VirtualTime } from './virtual-time.ts';

type Claims = Parameters<Store['reserve']>[1];

/** A reservation that was granted. */
type Granted = { readonly callId: string; claims: Claims; settles: number };

/** What was settled under one counter. */
type Spent = {
  readonly key: string;
  readonly isRolling: boolean;
  /** Something was reserved under it after its window, when nothing limits it any more. */
  hasEnded: boolean;
  /** The highest one that a reservation had. */
  limit: number;
  settled: number;
  /** What was settled beyond its reservation. */
  excess: number;
};

type Refused = {
  readonly at: number;
  readonly amount: number;
  readonly limit: number;
  readonly settled: number;
};

/** The store of a world's budgets, and what the router did with it. */
export type WatchedStore = {
  readonly store: Store;
  readonly violations: string[];
  readonly spent: ReadonlyMap<string, Spent>;
  /** Operations that have not answered yet. */
  readonly pending: number;
  /** Reservations that were not settled exactly once. */
  open(): number;
  /** When something was settled last. */
  readonly settledAt: number;
  /** To be called in the turn of the event, with the budgets of its call. */
  seen(event: RouterEvent, budgets: Budgets): void;
};

/**
 * A store in memory that keeps its own account of reservations, and compares. With `latencyMs` it takes that long before
 * and after each operation.
 */
export function watchedStore(time: VirtualTime, latencyMs: number | undefined): WatchedStore {
  const inner = new MemoryStore('watched');
  const violations: string[] = [];
  const granted = new Map<string, Granted>();
  const openIds = new Set<string>();
  const spent = new Map<string, Spent>();
  /** By the id of a call and the key of a counter: what it was refused last. */
  const refusals = new Map<string, Refused>();
  const grants = new Map<string, number>();
  const starts = new Map<string, number>();
  let pending = 0;
  let settledAt = time.now();

  function answer<Value>(act: () => Value): Value | Promise<Value> {
    if (latencyMs === undefined) return act();
    pending += 1;
    const late = async (): Promise<Value> => {
      try {
        await time.sleep(latencyMs);
        const value = act();
        await time.sleep(latencyMs);
        return value;
      } finally {
        pending -= 1;
      }
    };
    return late();
  }

  function spentUnder({ key, window }: Claims[number]['counter']): Spent {
    const known = spent.get(key);
    if (known !== undefined) return known;
    const isRolling = 'lastMs' in window;
    const made = { key, isRolling, hasEnded: false, limit: 0, settled: 0, excess: 0 };
    spent.set(key, made);
    return made;
  }

  function reservedUnder(key: string): number {
    let sum = 0;
    for (const id of openIds) {
      for (const { counter, amount } of granted.get(id)?.claims ?? []) {
        if (counter.key === key) sum += amount;
      }
    }
    return sum;
  }

  /** What was granted must have had room. */
  function checkRoom(claims: Claims, now: number): void {
    for (const { counter, limit } of claims) {
      const under = spentUnder(counter);
      if ('until' in counter.window && counter.window.until <= now) {
        under.hasEnded = true;
        continue;
      }
      const [state] = inner.read([counter], now);
      const settled = under.isRolling ? (state?.settled ?? 0) : under.settled;
      const sum = settled + reservedUnder(counter.key);
      const kept = (state?.settled ?? 0) + (state?.reserved ?? 0);
      under.limit = Math.max(under.limit, limit);
      if (sum > limit) violations.push(`${counter.key}: ${sum} of ${limit} are reserved`);
      if (sum !== kept) violations.push(`${counter.key}: ${kept} are kept, and ${sum} in use`);
    }
  }

  const store: Store = {
    name: 'watched',
    survivesRestart: true,
    reserve: (id, claims, at) =>
      answer(() => {
        const result = inner.reserve(id, claims, at);
        const [callId = ''] = id.split(' ');
        const known = granted.get(id);
        if (!result.ok) {
          const { counter, amount, limit } = claims[result.refused] ?? {};
          if (counter === undefined || amount === undefined || limit === undefined) return result;
          refusals.set(`${callId} ${counter.key}`, { at: at.now, amount, limit, ...result.state });
          return result;
        }
        if (known === undefined) {
          granted.set(id, { callId, claims, settles: 0 });
          grants.set(callId, (grants.get(callId) ?? 0) + 1);
        } else if (!openIds.has(id)) violations.push(`${id} is reserved again after its end`);
        else known.claims = claims;
        openIds.add(id);
        checkRoom(claims, at.now);
        return result;
      }),
    settle(id, used, now) {
      settledAt = time.now();
      const known = granted.get(id);
      if (known === undefined) violations.push(`${id} is settled, and was not reserved`);
      else known.settles += 1;
      return answer(() => {
        openIds.delete(id);
        for (const { counter, amount } of used) {
          const claims = known?.claims.filter((each) => each.counter.key === counter.key) ?? [];
          const reserved = claims.reduce((sum, each) => sum + each.amount, 0);
          const under = spentUnder(counter);
          under.settled += amount;
          under.excess += Math.max(0, amount - reserved);
        }
        return inner.settle(id, used, now);
      });
    },
    read: (counters, now) => answer(() => inner.read(counters, now)),
    list: (prefix, options) => answer(() => inner.list(prefix, options)),
    fact: (key, now) => inner.fact(key, now),
    setFact: (key, value, at) => inner.setFact(key, value, at),
    document: (key) => inner.document(key),
    replaceDocument: (key, value, version) => inner.replaceDocument(key, value, version),
    watch: (key, listener) => inner.watch(key, listener),
    close: () => inner.close(),
  };

  /** An attempt needs a reservation under the budgets that it matches. */
  function checkStart(callId: string): void {
    const count = (starts.get(callId) ?? 0) + 1;
    starts.set(callId, count);
    const isOpen = [...openIds].some((id) => {
      const each = granted.get(id);
      return each?.callId === callId && each.settles === 0;
    });
    if (!isOpen || (grants.get(callId) ?? 0) < count) {
      violations.push(`${callId}: attempt ${count} starts without a reservation`);
    }
  }

  return {
    store,
    violations,
    spent,
    get pending() {
      return pending;
    },
    get settledAt() {
      return settledAt;
    },
    open: () => [...granted.values()].filter(({ settles }) => settles !== 1).length,
    seen(event, budgets) {
      if (event.callId === null || event.drill !== undefined) return;
      if (event.type === 'attempt-start') {
        const isCounted = Object.values(budgets).some((budget) => matches(budget, event));
        if (isCounted) checkStart(event.callId);
      }
      if (event.type !== 'budget-exceeded' || event.action !== 'rejected') return;
      // The calls of plugins do not wait for the call that waits for them.
      if (event.tags.asker !== undefined || event.tags.plan === undefined) return;
      const start = `${event.callId} ${JSON.stringify(['budget', event.budget]).slice(0, -1)},`;
      for (const [name, { at, amount, limit, settled }] of refusals) {
        // An older one, as of a window that has ended, is not why it is refused now.
        if (at < time.now() - 2 * (latencyMs ?? 0)) continue;
        if (!name.startsWith(start) || !name.includes(`,"${event.unit}",`)) continue;
        if (settled + amount > limit) return;
        violations.push(`${name} was refused with ${settled} of ${limit} settled for ${amount}`);
      }
    },
  };
}
