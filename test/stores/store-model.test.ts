import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type Claim, type Counter, memoryStore, type Store } from '../../src/store.ts';
import { openFileStore } from '../../src/stores/file-store.ts';

const directory = mkdtempSync(join(tmpdir(), 'stores-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const rollingMs = 120;
const partMs = rollingMs / 60;
const counters: readonly Counter[] = [
  { key: 'u/a', window: { until: 150 } },
  { key: 'u/b', window: { until: 400 } },
  { key: 'v/r', window: { lastMs: rollingMs } },
];

const counter = fc.constantFrom(...counters);
const amount = fc.integer({ min: 0, max: 9 });
const id = fc.constantFrom('i', 'j', 'k', 'l');
const key = fc.constantFrom('p', 'q');
const claim = fc.record({
  counter,
  amount,
  limit: fc.constantFrom(5, 12, Number.POSITIVE_INFINITY),
});

const step = fc.oneof(
  fc.record({
    type: fc.constant('reserve' as const),
    id,
    claims: fc.array(claim, { maxLength: 3 }),
    lifeMs: fc.integer({ min: 0, max: 60 }),
  }),
  fc.record({
    type: fc.constant('settle' as const),
    id,
    used: fc.array(fc.record({ counter, amount }), { maxLength: 3 }),
  }),
  fc.record({ type: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 40 }) }),
  fc.record({
    type: fc.constant('fact' as const),
    key,
    value: fc.jsonValue({ maxDepth: 2 }),
    lifeMs: fc.integer({ min: 0, max: 60 }),
  }),
  fc.record({
    type: fc.constant('document' as const),
    key,
    value: amount,
    isCurrent: fc.boolean(),
  }),
  fc.record({ type: fc.constant('restart' as const) }),
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** The simplest store: lists of everything that ever happened. */
class Model {
  now = 1;
  settled: { counter: Counter; amount: number; at: number }[] = [];
  open = new Map<string, { claims: readonly Claim[]; expiresAt: number; at: number }>();
  facts = new Map<string, { value: unknown; expiresAt: number }>();
  documents = new Map<string, { value: unknown; version: number }>();

  reserved({ key: name, window }: Counter, except?: string): number {
    if ('until' in window && window.until <= this.now) return 0;
    return [...this.open]
      .filter(([each, { expiresAt }]) => each !== except && expiresAt > this.now)
      .flatMap(([, { claims }]) => claims)
      .reduce((sum, each) => (each.counter.key === name ? sum + each.amount : sum), 0);
  }

  /** The least and the most that may be counted: a rolling window forgets a part of itself together. */
  settledRange({ key: name, window }: Counter): readonly [number, number] {
    const sum = (isIn: (at: number) => boolean): number =>
      this.settled
        .filter((each) => each.counter.key === name && isIn(each.at))
        .reduce((total, each) => total + each.amount, 0);
    if ('until' in window) {
      const all = window.until <= this.now ? 0 : sum((at) => at < window.until);
      return [all, all];
    }
    return [
      sum((at) => at + window.lastMs > this.now),
      sum((at) => at + window.lastMs + partMs > this.now),
    ];
  }
}

async function check(store: Store, model: Model): Promise<void> {
  const states = await store.read(counters, model.now);
  for (const [index, each] of counters.entries()) {
    const { settled = -1, reserved } = states[index] ?? {};
    const [least, most] = model.settledRange(each);
    expect(settled).toBeGreaterThanOrEqual(least);
    expect(settled).toBeLessThanOrEqual(most);
    expect(reserved).toBe(model.reserved(each));
  }
  const listed = await store.list('u/', { now: model.now, max: 9 });
  const nonZero = counters
    .map(({ key: name }, index) => ({ key: name, ...states[index] }))
    .filter((state) => state.key.startsWith('u/') && (state.settled || state.reserved));
  expect(listed.filter(({ settled, reserved }) => settled + reserved > 0)).toEqual(nonZero);
  for (const name of ['p', 'q']) {
    const fact = model.facts.get(name);
    const isThere = fact !== undefined && fact.expiresAt > model.now;
    expect(await store.fact(name, model.now)).toEqual(isThere ? fact.value : undefined);
    expect((await store.document(name))?.value).toEqual(model.documents.get(name)?.value);
  }
}

async function reserve(store: Store, model: Model, each: Extract<Step, { type: 'reserve' }>) {
  const { claims, lifeMs } = each;
  const { now } = model;
  const before = await store.read(counters, now);
  // What is counted of a rolling window is the store's to say, within the range.
  const refused = claims.findIndex((one, index) => {
    const settled = before[counters.indexOf(one.counter)]?.settled ?? 0;
    const same = claims.slice(0, index + 1).filter((other) => other.counter === one.counter);
    const wanted = same.reduce((sum, other) => sum + other.amount, 0);
    return settled + model.reserved(one.counter, each.id) + wanted > one.limit;
  });
  const result = await store.reserve(each.id, claims, { now, expiresAt: now + lifeMs });
  if (refused < 0) {
    expect(result).toEqual({ ok: true });
    model.open.set(each.id, { claims, expiresAt: now + lifeMs, at: now });
  } else expect(result).toMatchObject({ ok: false, refused });
}

/** Runs the steps; the model and the store must agree after each. */
async function run(steps: readonly Step[], made: Store, reopen?: (store: Store) => Promise<Store>) {
  let store = made;
  const model = new Model();
  for (const each of steps) {
    const { now } = model;
    if (each.type === 'pass') model.now += each.ms;
    else if (each.type === 'reserve') await reserve(store, model, each);
    else if (each.type === 'settle') {
      await store.settle(each.id, each.used, now);
      model.open.delete(each.id);
      model.settled.push(...each.used.map((used) => ({ ...used, at: now })));
    } else if (each.type === 'fact') {
      const value = JSON.parse(JSON.stringify(each.value));
      const time = { now, expiresAt: now + each.lifeMs };
      await store.setFact(each.key, value, time);
      model.facts.set(each.key, { value, expiresAt: time.expiresAt });
    } else if (each.type === 'document') {
      const current = model.documents.get(each.key)?.version;
      const version = each.isCurrent ? current : 9_999;
      const next = await store.replaceDocument(each.key, each.value, version);
      expect(next === undefined).toBe(!each.isCurrent);
      if (next !== undefined) model.documents.set(each.key, { value: each.value, version: next });
    } else if (reopen !== undefined) {
      store = await reopen(store);
      model.open.clear();
    }
    await check(store, model);
  }
  await store.close();
}

const steps = fc.array(step, { maxLength: 40 });

describe('a store agrees with a simple model', () => {
  it('in memory', async () => {
    await fc.assert(
      fc.asyncProperty(steps, (list) => run(list, memoryStore())),
      { seed: 1, numRuns: 1_000 },
    );
  });

  it('in a file, over restarts, however often it is written again', async () => {
    let file = 0;
    const growth = fc.constantFrom(1, 300, 4_000_000);
    await fc.assert(
      fc.asyncProperty(steps, growth, async (list, growthBytes) => {
        file += 1;
        const path = join(directory, `model-${file}`);
        const open = () => openFileStore(path, growthBytes);
        await run(list, open(), async (store) => {
          await store.close();
          return open();
        });
      }),
      { seed: 2, numRuns: 200 },
    );
  });
});
