/** Spends until it is killed, and acknowledges each change on stdout after the store has. Arguments: path, start. */
import { writeSync } from 'node:fs';
import { openFileStore } from '../../src/stores/file-store.ts';
import { allSpent, growthBytes, spentBy } from './kill-worlds.ts';

const [path = '', start = '0'] = process.argv.slice(2);
const store = openFileStore(path, growthBytes);
const now = 1_000_000;
for (let n = Number(start) + 1; ; n++) {
  const used = [allSpent, spentBy(n)].map((counter) => ({ counter, amount: 1 }));
  const claims = used.map((each) => ({ ...each, limit: Number.POSITIVE_INFINITY }));
  await store.reserve(`call-${n}`, claims, { now, expiresAt: now + 1_000 });
  await store.settle(`call-${n}`, used, now);
  await store.setFact('last', n, { now, expiresAt: 1e12 });
  const version = (await store.document('last'))?.version;
  await store.replaceDocument('last', n, version);
  writeSync(1, `${n}\n`);
}
