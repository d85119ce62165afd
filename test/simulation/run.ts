/**
 * Runs many seeds, or one of them with its story: `npm run simulate -- --seeds 100000`, `-- --seed 4711`. With
 * `--mutations` it plants mistakes in a copy of the engine, and tells how many seeds each needs to be found.
 */
import { parseArgs } from 'node:util';
import { violationsIn } from './invariants.ts';
import { mutations } from './mutations.ts';
import { seedsToFind } from './plant.ts';
import { storyOf } from './report.ts';
import { runWorld, simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    mutations: { type: 'boolean', default: false },
  },
});

async function tellOne(seed: number): Promise<void> {
  const run = await runWorld(seed);
  console.log(storyOf(run));
  const violations = violationsIn(run);
  console.log(violations.length === 0 ? 'nothing is wrong' : violations.join('\n'));
  process.exitCode = violations.length === 0 ? 0 : 1;
}

async function runMany(from: number, count: number): Promise<void> {
  const startedAt = performance.now();
  for (let seed = from; seed < from + count; seed++) {
    const violations = await simulate(seed);
    if (violations.length === 0) continue;
    console.log(`${violations.join('\n')}\nsee it with: npm run simulate -- --seed ${seed}`);
    console.log(`found after ${seed - from + 1} seeds`);
    process.exitCode = 1;
    return;
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(`${count} seeds in ${seconds} s: nothing is wrong`);
}

async function tellMutations(most: number): Promise<void> {
  for (const mutation of mutations) {
    const found = await seedsToFind(mutation, most);
    if (found === undefined) process.exitCode = 1;
    const told = found === undefined ? `not found in ${most} seeds` : `${found.seeds} seeds`;
    console.log(
      `${mutation.name}: ${told}${found === undefined ? '' : `, by "${found.violation}"`}`,
    );
  }
}

if (values.seed !== undefined) await tellOne(Number(values.seed));
else if (values.mutations) await tellMutations(Number(values.seeds));
else await runMany(Number(values.from), Number(values.seeds));
