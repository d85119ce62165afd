/**
 * Bytes allocated and promises created per call and per chunk of a stream. The semi-space is large enough that no
 * garbage is collected while bytes are counted (`--max-semi-space-size`). Promises are counted by an async hook in
 * separate runs.
 */
import { createHook } from 'node:async_hooks';
import { type Contender, racesAt } from './contenders.ts';
import { argumentsOf, runMany } from './measure.ts';
import { startVendors } from './vendors.ts';

const { wire = '' } = argumentsOf();
const concurrency = 16;
const calls = 400;
const streams = 32;
const deltas = 101;

const vendors = await startVendors();

/** Bytes allocated per task. */
async function bytesOf(count: number, task: () => Promise<unknown>): Promise<number> {
  globalThis.gc?.();
  const before = process.memoryUsage();
  await runMany(count, concurrency, task);
  const after = process.memoryUsage();
  return (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / count;
}

let promiseCount = 0;
const hook = createHook({
  init: (_, type) => {
    if (type === 'PROMISE') promiseCount += 1;
  },
});

/** Promises created per task. */
async function promisesOf(count: number, task: () => Promise<unknown>): Promise<number> {
  hook.enable();
  promiseCount = 0;
  await runMany(count, concurrency, task);
  hook.disable();
  return promiseCount / count;
}

const shorter = racesAt(vendors.url, '1d0');
for (const [at, race] of racesAt(vendors.url, `${deltas}d0`).entries()) {
  if (wire !== '' && race.wire !== wire) continue;
  for (const [index, long] of race.contenders.entries()) {
    const short: Contender = shorter[at]?.contenders[index] ?? long;
    for (let warm = 0; warm < 8; warm++) {
      await runMany(calls, concurrency, long.complete);
      await runMany(streams, concurrency, long.stream);
    }
    const figures = [];
    for (const [unit, count] of [
      ['kB', bytesOf],
      ['promises', promisesOf],
    ] as const) {
      const call = await count(calls, long.complete);
      const stream = await count(streams, short.stream);
      const chunk = ((await count(streams, long.stream)) - stream) / (deltas - 1);
      const scale = unit === 'kB' ? 1_024 : 1;
      figures.push(
        `${(call / scale).toFixed(1)} ${unit} per call, ${(chunk / scale).toFixed(2)} per chunk`,
      );
    }
    console.log(race.wire.padEnd(9), long.name.padEnd(17), figures.join('   '));
  }
}
vendors.stop();
process.exit();
