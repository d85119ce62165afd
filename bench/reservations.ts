/**
 * The cost of what an attempt reserves and settles under one budget, without the call around it: `node
 * bench/reservations.ts`. The control, in the same round, is two reads and writes of a `Map`.
 */
import { Budget } from '../src/budgets/budget.ts';
import { type AnyCap, Held, reserve } from '../src/budgets/ledger.ts';
import { Spending } from '../src/budgets/spending.ts';
import { memoryStore } from '../src/internal/memory-store.ts';
import { median, medianRatio } from './measure.ts';

const rounds = 7;
const count = 100_000;
const store = memoryStore();
const now = Date.UTC(2100, 0, 1);
const tags = { user: 'u-17' };

/** CPU time for each of `count` in microseconds: user and system, all threads. */
function timeOf(act: () => unknown): number {
  const before = process.cpuUsage();
  for (let index = 0; index < count; index++) act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

let attempts = 0;
function spendUnder(budgets: readonly Budget[]): () => void {
  const amountUnder = (_: AnyCap): number => 100;
  const used = (_: AnyCap): number => 50;
  return () => {
    attempts += 1;
    const caps = budgets.flatMap((budget) =>
      budget.matches(tags) ? budget.capsFor(tags, now) : [],
    );
    const spending = new Spending(undefined, undefined);
    const time = { now, expiresAt: now + 600_000 };
    const held = reserve(store, `call ${attempts}`, caps, { amountUnder, spending, time });
    if (!(held instanceof Held)) throw new Error('refused');
    void held.settle(used, now);
  };
}

const map = new Map<string, number>();
function control(): void {
  for (const key of ['team', 'user']) map.set(key, (map.get(key) ?? 0) + 1);
}

const one = [new Budget('all', { usd: 1_000_000, per: 'day' })];
const three = [
  ...one,
  new Budget('user', { by: 'user', tokens: 1e12, per: 'day', timeZone: 'Europe/Berlin' }),
  new Budget('minute', { requests: 1e9, per: 'minute' }),
];
const rows = { control, 'one budget': spendUnder(one), 'three budgets': spendUnder(three) };
const times = new Map<string, number[]>();
for (let round = -2; round < rounds; round++) {
  for (const [name, act] of Object.entries(rows)) {
    const us = timeOf(act);
    if (round >= 0) times.set(name, [...(times.get(name) ?? []), us]);
  }
}
const base = times.get('control') ?? [];
for (const [name, values] of times) {
  const ratio = medianRatio(values, base).toFixed(1);
  console.log(`${name}: ${median(values).toFixed(2)} us, ${ratio} times the control`);
}
