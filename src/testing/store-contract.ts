import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { Claim, Counter, CounterState, Eventually, Store } from '../protocol/store.ts';
import { invalidArgument, isObject } from './check-arguments.ts';
import type { ContractCase } from './contract/probe.ts';

export type StoreContractOptions = {
  /** Prefix of each case's name. */
  readonly name: string;
  /** Makes an empty store. Called for each case. */
  readonly store: () => Eventually<Store>;
  /** Opens the same data again after the store was closed, as after a restart. Without it, that is not checked. */
  readonly reopen?: (() => Eventually<Store>) | undefined;
  /** The time of the cases, in epoch milliseconds. @default 2100-01-01 */
  readonly startMs?: number | undefined;
};

type Bench = {
  readonly store: Store;
  /** Milliseconds from the start of the case, as epoch milliseconds. */
  at(ms: number): number;
  /** Closes the store and opens it again. */
  reopen(): Promise<Store>;
};

const minute = 60_000;
const zero: CounterState = { settled: 0, reserved: 0 };

function fixed(key: string, until: number): Counter {
  return { key, window: { until } };
}

function rolling(key: string, lastMs: number): Counter {
  return { key, window: { lastMs } };
}

async function stateOf(store: Store, counter: Counter, now: number): Promise<CounterState> {
  const [state] = await store.read([counter], now);
  assert.ok(state !== undefined, 'read() must return a state for each counter');
  return state;
}

/** How long a listener may take, in milliseconds. */
const maxDelayMs = 2_000;

/** Waits for a listener to be called. */
async function assertCalled(called: Promise<void>, when: string): Promise<void> {
  const end = new AbortController();
  const late = wait(maxDelayMs, 'late', { signal: end.signal }).catch(() => 'ended');
  const first = await Promise.race([called, late]);
  end.abort();
  assert.notEqual(first, 'late', `the listener must be called after ${when}`);
}

/** The operation must fail and leave the state of the counter as it was. */
async function assertRejected(
  { store, at }: Bench,
  counter: Counter,
  operation: () => Eventually<unknown>,
): Promise<void> {
  const before = await stateOf(store, counter, at(0));
  await assert.rejects(async () => operation(), 'bad amounts, limits and times must be errors');
  assert.deepEqual(await stateOf(store, counter, at(0)), before);
}

const counterCases: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  async 'counts what was settled instead of what was reserved'({ store, at }) {
    const day = fixed('day', at(minute));
    const time = { now: at(0), expiresAt: at(1_000) };
    assert.deepEqual(await stateOf(store, day, at(0)), zero);
    const result = await store.reserve('a', [{ counter: day, amount: 7, limit: 10 }], time);
    assert.deepEqual(result, { ok: true });
    assert.deepEqual(await stateOf(store, day, at(1)), { settled: 0, reserved: 7 });
    await store.settle('a', [{ counter: day, amount: 9 }], at(2));
    assert.deepEqual(await stateOf(store, day, at(2)), { settled: 9, reserved: 0 });
    await store.settle('unknown', [{ counter: day, amount: 4 }], at(3));
    assert.deepEqual(await stateOf(store, day, at(3)), { settled: 13, reserved: 0 });
  },
  async 'releases a reservation without counting anything'({ store, at }) {
    const day = fixed('day', at(minute));
    const time = { now: at(0), expiresAt: at(1_000) };
    await store.reserve('a', [{ counter: day, amount: 7, limit: 10 }], time);
    await store.settle('a', [], at(1));
    assert.deepEqual(await stateOf(store, day, at(1)), zero);
  },
  async 'reserves all claims or none'({ store, at }) {
    const user = fixed('user', at(minute));
    const team = fixed('team', at(minute));
    const time = { now: at(0), expiresAt: at(1_000) };
    await store.settle('x', [{ counter: team, amount: 5 }], at(0));
    const claims: Claim[] = [
      { counter: user, amount: 6, limit: 10 },
      { counter: team, amount: 6, limit: 10 },
    ];
    const refused = await store.reserve('a', claims, time);
    assert.deepEqual(refused, { ok: false, refused: 1, state: { settled: 5, reserved: 0 } });
    assert.deepEqual(await store.read([user, team], at(0)), [zero, { settled: 5, reserved: 0 }]);
  },
  async 'fills a counter up to its limit, and no further'({ store, at }) {
    const day = fixed('day', at(minute));
    const time = { now: at(0), expiresAt: at(1_000) };
    const claim = { counter: day, amount: 1, limit: 10 };
    const ids = Array.from({ length: 25 }, (_, index) => `call-${index}`);
    const results = await Promise.all(ids.map((id) => store.reserve(id, [claim], time)));
    assert.equal(results.filter(({ ok }) => ok).length, 10);
    assert.deepEqual(await stateOf(store, day, at(0)), { settled: 0, reserved: 10 });
  },
  async 'adds up claims of the same counter'({ store, at }) {
    const day = fixed('day', at(minute));
    const time = { now: at(0), expiresAt: at(1_000) };
    const claim = { counter: day, amount: 6, limit: 10 };
    const refused = await store.reserve('a', [claim, claim], time);
    assert.deepEqual(refused, { ok: false, refused: 1, state: zero });
    const larger = { ...claim, limit: 12 };
    assert.deepEqual(await store.reserve('a', [claim, larger], time), { ok: true });
    assert.deepEqual(await stateOf(store, day, at(0)), { settled: 0, reserved: 12 });
  },
  async 'never refuses a claim without a limit'({ store, at }) {
    const day = fixed('day', at(minute));
    const claim = { counter: day, amount: 1e12, limit: Number.POSITIVE_INFINITY };
    const time = { now: at(0), expiresAt: at(1_000) };
    for (const id of ['a', 'b']) {
      assert.deepEqual(await store.reserve(id, [claim], time), { ok: true });
    }
    assert.deepEqual(await stateOf(store, day, at(0)), { settled: 0, reserved: 2e12 });
  },
  async 'replaces a reservation under the same id, and keeps it when that is refused'({
    store,
    at,
  }) {
    const day = fixed('day', at(minute));
    const time = { now: at(0), expiresAt: at(1_000) };
    const claim = (amount: number): Claim => ({ counter: day, amount, limit: 10 });
    await store.reserve('other', [claim(2)], time);
    await store.reserve('a', [claim(5)], time);
    assert.deepEqual(await store.reserve('a', [claim(8)], time), { ok: true });
    assert.deepEqual(await stateOf(store, day, at(0)), { settled: 0, reserved: 10 });
    const refused = await store.reserve('a', [claim(9)], time);
    assert.deepEqual(refused, { ok: false, refused: 0, state: { settled: 0, reserved: 2 } });
    assert.deepEqual(await stateOf(store, day, at(0)), { settled: 0, reserved: 10 });
    await store.reserve('a', [claim(1)], time);
    assert.deepEqual(await stateOf(store, day, at(0)), { settled: 0, reserved: 3 });
  },
  async 'forgets a reservation from its end on, and counts it when it is settled later'({
    store,
    at,
  }) {
    const day = fixed('day', at(minute));
    const time = { now: at(0), expiresAt: at(1_000) };
    await store.reserve('a', [{ counter: day, amount: 7, limit: 10 }], time);
    assert.deepEqual(await stateOf(store, day, at(999)), { settled: 0, reserved: 7 });
    assert.deepEqual(await stateOf(store, day, at(1_000)), zero);
    await store.settle('a', [{ counter: day, amount: 3 }], at(2_000));
    assert.deepEqual(await stateOf(store, day, at(2_000)), { settled: 3, reserved: 0 });
  },
  async 'empties a window when it ends'({ store, at }) {
    const day = fixed('day', at(1_000));
    await store.settle('a', [{ counter: day, amount: 7 }], at(0));
    assert.deepEqual(await stateOf(store, day, at(999)), { settled: 7, reserved: 0 });
    assert.deepEqual(await stateOf(store, day, at(1_000)), zero);
    await store.settle('b', [{ counter: day, amount: 7 }], at(1_001));
    assert.deepEqual(await stateOf(store, day, at(1_001)), zero);
  },
  async 'forgets amounts of a rolling window, never too early'({ store, at }) {
    const last = rolling('last-minute', minute);
    await store.settle('a', [{ counter: last, amount: 1 }], at(0));
    await store.settle('b', [{ counter: last, amount: 2 }], at(minute / 2));
    assert.deepEqual(await stateOf(store, last, at(minute - 1)), { settled: 3, reserved: 0 });
    const sixtieth = minute / 60;
    assert.deepEqual(await stateOf(store, last, at(minute + sixtieth)), {
      settled: 2,
      reserved: 0,
    });
    const end = minute + minute / 2;
    assert.deepEqual(await stateOf(store, last, at(end - 1)), { settled: 2, reserved: 0 });
    assert.deepEqual(await stateOf(store, last, at(end + sixtieth)), zero);
  },
  async 'lists counters by key'({ store, at }) {
    for (const key of ['u/b', 'v/x', 'u/a', 'u/c']) {
      await store.settle(key, [{ counter: fixed(key, at(minute)), amount: 2 }], at(0));
    }
    await store.settle('old', [{ counter: fixed('u/0', at(1)), amount: 2 }], at(0));
    const listed = await store.list('u/', { now: at(2), max: 2 });
    assert.deepEqual(listed, [
      { key: 'u/a', settled: 2, reserved: 0 },
      { key: 'u/b', settled: 2, reserved: 0 },
    ]);
  },
  async 'keeps large amounts exact'({ store, at }) {
    const day = fixed('day', at(minute));
    const large = 2 ** 52 + 1;
    await store.settle('a', [{ counter: day, amount: large }], at(0));
    await store.settle('b', [{ counter: day, amount: 3 }], at(0));
    assert.deepEqual(await stateOf(store, day, at(0)), { settled: large + 3, reserved: 0 });
  },
  async 'rejects bad amounts, limits and times, and changes nothing'(bench) {
    const { store, at } = bench;
    const day = fixed('day', at(minute));
    await store.settle('x', [{ counter: day, amount: 5 }], at(0));
    const time = { now: at(0), expiresAt: at(1_000) };
    const good = { counter: day, amount: 1 };
    for (const amount of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      const bad = { counter: day, amount };
      await assertRejected(bench, day, () => store.settle('a', [good, bad], at(0)));
      await assertRejected(bench, day, () => store.reserve('a', [{ ...bad, limit: 10 }], time));
    }
    await assertRejected(bench, day, () => store.settle('a', [good], Number.NaN));
    const limit = Number.NaN;
    await assertRejected(bench, day, () => store.reserve('a', [{ ...good, limit }], time));
    const full = { counter: day, amount: Number.MAX_SAFE_INTEGER };
    await assertRejected(bench, day, () => store.settle('a', [full], at(0)));
  },
};

const otherCases: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  async 'keeps a fact until it expires'({ store, at }) {
    assert.equal(await store.fact('f', at(0)), undefined);
    await store.setFact('f', { open: [1, null] }, { now: at(0), expiresAt: at(5_000) });
    assert.deepEqual(await store.fact('f', at(4_999)), { open: [1, null] });
    await store.setFact('f', 'sooner', { now: at(0), expiresAt: at(1_000) });
    assert.equal(await store.fact('f', at(999)), 'sooner');
    assert.equal(await store.fact('f', at(1_000)), undefined);
    await store.setFact('g', 1, { now: at(1_000), expiresAt: at(5_000) });
    await store.setFact('g', 1, { now: at(1_000), expiresAt: at(1_000) });
    assert.equal(await store.fact('g', at(1_000)), undefined);
  },
  async 'replaces a document only under its version'({ store }) {
    assert.equal(await store.document('d'), undefined);
    const first = await store.replaceDocument('d', { n: 1 }, undefined);
    assert.ok(first !== undefined, 'a document that does not exist has the version undefined');
    assert.equal(await store.replaceDocument('d', { n: 0 }, undefined), undefined);
    const second = await store.replaceDocument('d', { n: 2 }, first);
    assert.ok(second !== undefined && second !== first, 'a new version must differ');
    assert.equal(await store.replaceDocument('d', { n: 0 }, first), undefined);
    assert.deepEqual(await store.document('d'), { value: { n: 2 }, version: second });
  },
  async 'lets one of several writers replace a document'({ store }) {
    const writers = Array.from({ length: 8 }, (_, n) => store.replaceDocument('d', n, undefined));
    const versions = await Promise.all(writers);
    assert.equal(versions.filter((version) => version !== undefined).length, 1);
  },
  async 'copies values'({ store, at }) {
    const value = { list: [1] };
    await store.setFact('f', value, { now: at(0), expiresAt: at(1_000) });
    await store.replaceDocument('d', value, undefined);
    value.list.push(2);
    assert.deepEqual(await store.fact('f', at(0)), { list: [1] });
    assert.deepEqual((await store.document('d'))?.value, { list: [1] });
  },
  async 'calls listeners of a key after a change'({ store, at }) {
    const day = fixed('day', at(minute));
    const time = { now: at(0), expiresAt: at(minute) };
    const called = new Map<string, () => void>();
    const changed = (key: string) => new Promise<void>((resolve) => called.set(key, resolve));
    for (const key of ['f', 'd', 'day']) store.watch(key, () => called.get(key)?.());
    store.watch('f', () => {
      throw new Error('a listener must not break the store');
    });
    const fact = changed('f');
    await store.setFact('f', 1, time);
    await assertCalled(fact, 'a fact was set');
    const document = changed('d');
    await store.replaceDocument('d', 1, undefined);
    await assertCalled(document, 'a document was replaced');
    await store.reserve('a', [{ counter: day, amount: 1, limit: 1 }], time);
    const room = changed('day');
    await store.settle('a', [], at(1));
    await assertCalled(room, 'a reservation ended');
  },
  async 'calls a listener no more after its end'({ store, at }) {
    const calls = { kept: 0, ended: 0 };
    const kept = new Promise<void>((resolve) => {
      store.watch('f', () => {
        calls.kept += 1;
        resolve();
      });
    });
    store.watch('f', () => {
      calls.ended += 1;
    })();
    await store.setFact('f', 1, { now: at(0), expiresAt: at(1_000) });
    await assertCalled(kept, 'a fact was set');
    assert.equal(calls.ended, 0);
  },
  async 'fails after it was closed'({ store, at }) {
    await store.close();
    await assert.rejects(async () => store.read([rolling('r', minute)], at(0)));
    await assert.rejects(async () => store.settle('a', [], at(0)));
    await assert.rejects(async () => store.document('d'));
  },
};

const restartCases: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  async 'keeps what was settled, facts and documents over a restart'({ store, at, reopen }) {
    assert.equal(store.survivesRestart, true);
    const day = fixed('day', at(minute));
    const last = rolling('last-minute', minute);
    const time = { now: at(0), expiresAt: at(5_000) };
    await store.settle(
      'a',
      [
        { counter: day, amount: 5 },
        { counter: last, amount: 6 },
      ],
      at(0),
    );
    await store.settle('b', [{ counter: last, amount: 7 }], at(minute / 2));
    await store.setFact('f', { on: true }, time);
    await store.setFact('removed', 1, time);
    await store.setFact('removed', 1, { now: at(1), expiresAt: at(1) });
    const version = await store.replaceDocument('d', 'ü', undefined);
    const again = await reopen();
    assert.deepEqual(await again.fact('f', at(2)), { on: true });
    assert.equal(await again.fact('removed', at(2)), undefined);
    assert.deepEqual(await again.document('d'), { value: 'ü', version });
    const states = await again.read([day, last], at(minute / 2));
    assert.deepEqual(
      states.map(({ settled }) => settled),
      [5, 13],
    );
    const end = at(minute + minute / 60);
    assert.deepEqual(
      (await again.read([day, last], end)).map(({ settled }) => settled),
      [0, 7],
    );
    assert.equal(await again.fact('f', at(5_000)), undefined);
    await again.close();
  },
};

/** 2100-01-01, so that a store with a clock of its own does not forget what a case has written. */
const usualStartMs = Date.UTC(2100, 0, 1);

/**
 * The conformance suite of a {@link Store}. Works with any test framework:
 *
 * ```ts
 * for (const { name, run } of storeContract({ name: 'mine', store: () => myStore() })) it(name, run);
 * ```
 *
 * It checks one store; that several processes see the same data is for your tests.
 * @throws TypeError for bad options
 */
export function storeContract(options: StoreContractOptions): readonly ContractCase[] {
  if (!isObject(options)) throw invalidArgument('storeContract()', 'called with an object');
  const { name: prefix, store: makeStore, reopen, startMs = usualStartMs } = options;
  if (typeof makeStore !== 'function') {
    throw invalidArgument('storeContract().store', 'a function that makes an empty store');
  }
  const cases = { ...counterCases, ...otherCases, ...(reopen !== undefined && restartCases) };
  return Object.entries(cases).map(([name, body]) => ({
    name: `${prefix}: ${name}`,
    run: async () => {
      const store = await makeStore();
      await body({
        store,
        at: (ms) => startMs + ms,
        reopen: async () => {
          await store.close();
          return reopen?.() ?? store;
        },
      });
      await store.close();
    },
  }));
}
