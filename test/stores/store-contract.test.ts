import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fileStore, memoryStore, type Store } from '../../src/store.ts';
import { openFileStore } from '../../src/stores/file-store.ts';
import { storeContract } from '../../src/testing.ts';

const directory = mkdtempSync(join(tmpdir(), 'stores-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;
const nextPath = (): string => {
  files += 1;
  return lastPath();
};
const lastPath = (): string => join(directory, `state-${files}`);

describe('storeContract', () => {
  const options = [
    { name: 'memory', store: memoryStore },
    { name: 'file', store: () => fileStore(nextPath()), reopen: () => fileStore(lastPath()) },
    {
      name: 'file that is written again all the time',
      store: () => openFileStore(nextPath(), 1),
      reopen: () => openFileStore(lastPath(), 1),
    },
  ];
  for (const { name, run } of options.flatMap(storeContract)) it(name, run);

  it.each<[string, (store: Store) => Partial<Store>, string]>([
    [
      'reserves the claims before a refused one',
      (store) => ({
        async reserve(id, claims, time) {
          for (const [i, claim] of claims.entries()) {
            const result = await store.reserve(`${id}/${i}`, [claim], time);
            if (!result.ok) return { ...result, refused: i };
          }
          return { ok: true };
        },
      }),
      'reserves all claims or none',
    ],
    [
      'checks and then reserves',
      (store) => ({
        async reserve(id, claims, time) {
          const states = await store.read(
            claims.map(({ counter }) => counter),
            time.now,
          );
          await Promise.resolve();
          const isFull = claims.some(
            ({ amount, limit }, i) =>
              (states[i]?.settled ?? 0) + (states[i]?.reserved ?? 0) + amount > limit,
          );
          const free = claims.map((claim) => ({ ...claim, limit: Number.POSITIVE_INFINITY }));
          return isFull ? store.reserve(id, claims, time) : store.reserve(id, free, time);
        },
      }),
      'fills a counter up to its limit, and no further',
    ],
    [
      'keeps reservations for ever',
      (store) => ({
        reserve: (id, claims, { now }) => store.reserve(id, claims, { now, expiresAt: now + 1e12 }),
      }),
      'forgets a reservation from its end on, and counts it when it is settled later',
    ],
    [
      'counts what was reserved',
      (store) => ({
        settle: (id, used, now) =>
          store.settle(
            id,
            used.map((each) => ({ ...each, amount: Math.min(each.amount, 7) })),
            now,
          ),
      }),
      'counts what was settled instead of what was reserved',
    ],
    [
      'replaces documents of any version',
      (store) => ({
        replaceDocument: async (key, value) =>
          store.replaceDocument(key, value, (await store.document(key))?.version),
      }),
      'replaces a document only under its version',
    ],
    [
      'never ends a watch',
      (store) => ({
        watch(key, listener) {
          store.watch(key, listener);
          return () => undefined;
        },
      }),
      'calls a listener no more after its end',
    ],
  ])('fails a store that %s', async (_, wrong, name) => {
    const cases = storeContract({
      name: 'wrong',
      store() {
        const store = memoryStore();
        const methods = ['reserve', 'settle', 'read', 'list', 'fact', 'setFact'] as const;
        const more = ['document', 'replaceDocument', 'watch', 'close'] as const;
        const bound = [...methods, ...more].map((key) => [key, store[key].bind(store)]);
        return {
          name: 'wrong',
          survivesRestart: false,
          ...Object.fromEntries(bound),
          ...wrong(store),
        };
      },
    });
    const body = cases.find((each) => each.name === `wrong: ${name}`);
    await expect(body?.run()).rejects.toThrow();
  });

  it('rejects bad options', () => {
    expect(() => storeContract(Object(1))).toThrow(/storeContract\(\)\.store: must be/);
  });
});
