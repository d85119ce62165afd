/**
 * Runs many seeds, or a single one with its log: `npm run simulate -- --seeds 100000`, `-- --seed 4711`. With
 * `--mutations` it inserts bugs into a copy of the engine and prints how many seeds each needs to be found, with `--planted`
 * what the known seed of each finds. With
 * `--documents 10000` it lets a router follow so many random configuration documents. With `--policies` every world has
 * random requirements, rules, strategies and fallbacks, with `--budgets` random budgets, with `--plugins` plugins that
 * redact, cache and guard. With `--kills 1000` it kills so many
 * processes that use a file store, and as many whose router does; with `--audit-kills 20` so many that write up to 10,000
 * lines of an audit log. With `--storm 100` it runs 1,000 concurrent calls on a small budget for each of so many seeds.
 * With `--requests 10000` it sends so many malformed requests to a handler.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { followRandomDocuments } from './config-documents.ts';
import { mutations } from './mutations.ts';
import { logOf } from './report.ts';
import { runWorld, simulate } from './simulate.ts';
import { createRandom } from './virtual-time.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    mutations: { type: 'boolean', default: false },
    planted: { type: 'boolean', default: false },
    documents: { type: 'string' },
    policies: { type: 'boolean', default: false },
    budgets: { type: 'boolean', default: false },
    plugins: { type: 'boolean', default: false },
    kills: { type: 'string' },
    'audit-kills': { type: 'string' },
    storm: { type: 'string' },
    requests: { type: 'string' },
  },
});

const focus = (['policies', 'budgets', 'plugins'] as const).find((name) => values[name]);

async function runOne(seed: number): Promise<void> {
  const run = await runWorld(seed, focus);
  console.log(logOf(run));
  const violations = await simulate(seed, focus);
  console.log(violations.length === 0 ? 'no violations' : violations.join('\n'));
  process.exitCode = violations.length === 0 ? 0 : 1;
}

async function runMany(from: number, count: number): Promise<void> {
  const startedAt = performance.now();
  for (let seed = from; seed < from + count; seed++) {
    const violations = await simulate(seed, focus);
    if (violations.length === 0) continue;
    console.log(
      `${violations.join('\n')}\nreproduce with: npm run simulate -- ${focus === undefined ? '' : `--${focus} `}--seed ${seed}`,
    );
    console.log(`found after ${seed - from + 1} seeds`);
    process.exitCode = 1;
    return;
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  console.log(`${count} seeds in ${seconds} s: no violations`);
}

async function runMutations(maxSeeds: number): Promise<void> {
  const { seedsToFind } = await import('./plant.ts');
  for (const mutation of mutations) {
    const found = await seedsToFind(mutation, 1, maxSeeds);
    if (found === undefined) process.exitCode = 1;
    const result = found === undefined ? `not found in ${maxSeeds} seeds` : `${found.seeds} seeds`;
    console.log(
      `${mutation.name}: ${result}${found === undefined ? '' : `, by "${found.violation}"`}`,
    );
  }
}

/** Prints the violation that each mutation's own seed finds, as JSON. */
async function runPlanted(): Promise<void> {
  const { seedsToFind } = await import('./plant.ts');
  const found: [string, string][] = [];
  for (const mutation of mutations) {
    if (mutation.seed === undefined) continue;
    const first = await seedsToFind(mutation, mutation.seed, 1);
    if (first !== undefined) found.push([mutation.name, first.violation]);
  }
  console.log(JSON.stringify(Object.fromEntries(found)));
}

async function runDocuments(from: number, count: number): Promise<void> {
  const { violations, accepted, refused } = await followRandomDocuments(from, count);
  for (const violation of violations) console.log(violation);
  console.log(`${accepted} accepted, ${refused} refused, ${violations.length} violations`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}

async function runKills(seed: number, count: number): Promise<void> {
  // The copies of the engine that mutations are inserted into have no stores' tests.
  const { killMany } = await import('../stores/kill-worlds.ts');
  const directory = mkdtempSync(join(tmpdir(), 'kills-'));
  const path = join(directory, 'state');
  const { violations: found, spent } = await killMany(path, count, createRandom(seed));
  const violations = [...found];
  for (const violation of violations) console.log(violation);
  console.log(`${count} kills, ${spent} changes, ${violations.length} violations`);
  const { killRouters } = await import('../stores/router-kills.ts');
  const routers = await killRouters(join(directory, 'routers'), count, createRandom(seed));
  violations.push(...routers.violations);
  for (const violation of routers.violations) console.log(violation);
  console.log(
    `${count} kills of routers, ${routers.requests} requests, ${routers.violations.length} violations`,
  );
  if (violations.length === 0) rmSync(directory, { recursive: true });
  else process.exitCode = 1;
}

async function runAuditKills(seed: number, count: number): Promise<void> {
  const { killAuditors } = await import('../policies/audit-kills.ts');
  const directory = mkdtempSync(join(tmpdir(), 'audit-kills-'));
  const file = join(directory, 'audit.jsonl');
  const { violations, lines } = await killAuditors(file, count, 10_000, createRandom(seed));
  for (const violation of violations) console.log(violation);
  console.log(`${count} kills, ${lines} lines, ${violations.length} violations`);
  if (violations.length === 0) rmSync(directory, { recursive: true });
  else process.exitCode = 1;
}

async function runStorms(from: number, count: number): Promise<void> {
  const { storm } = await import('./storm.ts');
  const counts = new Map<string, number>();
  for (const isHidden of [false, true]) {
    const storms = [];
    for (let seed = from; seed < from + count; seed++) {
      const made = await storm(seed, 1_000, { isHidden });
      for (const violation of made.violations) console.log(`seed ${seed}: ${violation}`);
      if (made.violations.length > 0) process.exitCode = 1;
      for (const [name, times] of made.counts) counts.set(name, (counts.get(name) ?? 0) + times);
      storms.push(made);
    }
    const over = storms.map(({ spentUsd }) => Math.max(0, spentUsd - 1));
    const least = (values: readonly number[]) => Math.min(...values).toFixed(4);
    const most = (values: readonly number[]) => Math.max(...values).toFixed(4);
    const spent = storms.map(({ spentUsd }) => spentUsd);
    console.log(
      `${isHidden ? 'with hidden reasoning' : 'usage within reservations'}: spent ${least(spent)} to ${most(spent)} of 1 USD, ` +
        `refused from ${least(storms.map(({ refusedAt }) => refusedAt))} of the cap on, ` +
        `at most ${most(over)} over, ${most(storms.map(({ excessUsd }) => excessUsd))} billed beyond reservations`,
    );
  }
  console.log(Object.fromEntries(counts));
}

async function runRequests(from: number, count: number): Promise<void> {
  const { sendMalformed } = await import('../server/malformed-requests.ts');
  const { violations, counts, growthMb } = await sendMalformed(from, count);
  for (const violation of violations) console.log(violation);
  const labels = [...counts].toSorted(([one], [other]) => one.localeCompare(other));
  for (const [label, times] of labels) console.log(`${String(times).padStart(6)} ${label}`);
  console.log(
    `${count} requests, ${violations.length} violations, heap growth ${growthMb.toFixed(1)} MB`,
  );
  process.exitCode = violations.length === 0 ? 0 : 1;
}

if (values.requests !== undefined) await runRequests(Number(values.from), Number(values.requests));
else if (values.storm !== undefined) await runStorms(Number(values.from), Number(values.storm));
else if (values.kills !== undefined) await runKills(Number(values.from), Number(values.kills));
else if (values['audit-kills'] !== undefined) {
  await runAuditKills(Number(values.from), Number(values['audit-kills']));
} else if (values.documents !== undefined) {
  await runDocuments(Number(values.from), Number(values.documents));
} else if (values.seed !== undefined) await runOne(Number(values.seed));
else if (values.planted) await runPlanted();
else if (values.mutations) await runMutations(Number(values.seeds));
else await runMany(Number(values.from), Number(values.seeds));
