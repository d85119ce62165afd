/**
 * The cost of `reserve` and `settle` of two counters, and of opening a file, each as a ratio to a control that runs in the
 * same round: `node bench/stores.ts`. The control of memory is two reads and writes of a `Map`, that of the file one
 * `write` of a line of the same size.
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Counter, fileStore, memoryStore, type Store } from '../src/store.ts';
import { openFileStore } from '../src/stores/file-store.ts';
import { median, medianRatio } from './measure.ts';

const rounds = 7;
const count = 20_000;
const directory = mkdtempSync(join(tmpdir(), 'bench-stores-'));
const start = Date.UTC(2100, 0, 1);
const team: Counter = { key: 'team/a/day', window: { until: start + 1e12 } };
const user: Counter = { key: 'user/b/minute', window: { lastMs: 60_000 } };

/** CPU time for each of `times` in microseconds: user and system, all threads. */
function timeOf(times: number, act: (index: number) => unknown): number {
  const before = process.cpuUsage();
  for (let index = 0; index < times; index++) act(index);
  const { user: userTime, system } = process.cpuUsage(before);
  return (userTime + system) / times;
}

let call = 0;
function reserveAndSettle(store: Store): void {
  call += 1;
  const now = start + call;
  const claims = [team, user].map((counter) => ({ counter, amount: 100, limit: 1e15 }));
  const used = [team, user].map((counter) => ({ counter, amount: 50 }));
  void store.reserve(`call-${call}`, claims, { now, expiresAt: now + 600_000 });
  void store.settle(`call-${call}`, used, now);
}

const map = new Map<string, number>();
function mapControl(): void {
  for (const key of ['team/a/day', 'user/b/minute']) map.set(key, (map.get(key) ?? 0) + 1);
}

const memory = memoryStore();
const file = fileStore(join(directory, 'state'));
const plain = openSync(join(directory, 'plain'), 'a');
const line = Buffer.from(`${'x'.repeat(90)}\n`);

const results: Record<string, number[]> = { map: [], memory: [], write: [], file: [] };
for (let round = 0; round < rounds; round++) {
  results.map?.push(timeOf(count, mapControl));
  results.memory?.push(timeOf(count, () => reserveAndSettle(memory)));
  results.write?.push(timeOf(count, () => writeSync(plain, line)));
  results.file?.push(timeOf(count, () => reserveAndSettle(file)));
}
const of = (name: string): readonly number[] => results[name] ?? [];
console.table({
  'memory: reserve and settle': {
    µs: median(of('memory')).toFixed(2),
    control: 'two counters in a Map',
    ratio: medianRatio(of('memory'), of('map')).toFixed(1),
  },
  'file: reserve and settle': {
    µs: median(of('file')).toFixed(2),
    control: 'one write',
    ratio: medianRatio(of('file'), of('write')).toFixed(2),
  },
});
const large = join(directory, 'large');
const filled = openFileStore(large, 1e9);
for (let n = 0; n < 100_000; n++) {
  const counter: Counter = { key: `user-${n}/day`, window: { until: start + 1e12 } };
  void filled.settle('x', [{ counter, amount: 7 }], start);
}
await filled.close();

const opened = Array.from({ length: rounds }, () =>
  timeOf(1, () => openFileStore(large, 1e9).close()),
);
console.log(
  `open a file with 100,000 counters: ${(median(opened) / 1_000).toFixed(0)} ms of CPU time`,
);
await file.close();
closeSync(plain);
rmSync(directory, { recursive: true });
