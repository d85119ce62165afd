import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Counter, Store } from '../../src/store.ts';
import { openFileStore } from '../../src/stores/file-store.ts';

/** Small, so that kills fall into rewrites of the file too. */
export const growthBytes = 3_000;

const users = 20;

export const allSpent: Counter = { key: 'all', window: { until: 1e12 } };

export function spentBy(n: number): Counter {
  return { key: `user-${n % users}`, window: { lastMs: 1e9 } };
}

const child = fileURLToPath(new URL('kill-child.ts', import.meta.url));

/** Starts a process that spends, and kills it. Returns the last change that it acknowledged, if any. */
async function spendUntilKilled(
  path: string,
  start: number,
  dice: () => number,
): Promise<number | undefined> {
  const args = ['--no-warnings', child, path, String(start)];
  const spender = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = (): boolean => spender.kill('SIGKILL');
  let output = '';
  const wanted = Math.floor(dice() * 400);
  const delayMs = dice() * 3;
  // One in five while it starts or opens the file.
  if (dice() < 0.2) setTimeout(kill, dice() * 200);
  spender.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output.split('\n').length > wanted) setTimeout(kill, delayMs);
  });
  const [code, signal] = await once(spender, 'close');
  if (signal !== 'SIGKILL') throw new Error(`the child ended by itself with ${code}`);
  const acknowledged = output.split('\n').slice(0, -1).at(-1);
  return acknowledged === undefined ? undefined : Number(acknowledged);
}

/** What is wrong with the store after a kill. */
async function violationsIn(
  store: Store,
  start: number,
  acknowledged = start,
): Promise<readonly string[]> {
  const now = 1_000_000;
  const counters = [allSpent, ...Array.from({ length: users }, (_, n) => spentBy(n))];
  const [all, ...each] = await store.read(counters, now);
  const settled = all?.settled ?? Number.NaN;
  const sum = each.reduce((total, state) => total + state.settled, 0);
  const fact = Number((await store.fact('last', now)) ?? 0);
  const document = Number((await store.document('last'))?.value ?? 0);
  const reserved = [all, ...each].some((state) => state?.reserved !== 0);
  return [
    settled < acknowledged && `acknowledged ${acknowledged}, there are ${settled}`,
    settled > acknowledged + 1 && `at most ${acknowledged + 1} were spent, there are ${settled}`,
    sum !== settled && `half of a change is there: ${settled} in all, ${sum} by user`,
    (fact < acknowledged - Number(acknowledged === start) || fact > settled) &&
      `the fact is ${fact}`,
    (document < acknowledged - Number(acknowledged === start) || document > fact) &&
      `the document is ${document}`,
    reserved && 'something is left reserved',
  ].filter((problem) => problem !== false);
}

/** Kills processes that spend from the same file, one after the other. Returns what was wrong. */
export async function killMany(
  path: string,
  count: number,
  dice: () => number,
): Promise<{ readonly violations: readonly string[]; readonly spent: number }> {
  let spent = 0;
  const violations: string[] = [];
  for (let kill = 1; kill <= count; kill++) {
    const acknowledged = await spendUntilKilled(path, spent, dice);
    const store = openFileStore(path, growthBytes);
    const found = await violationsIn(store, spent, acknowledged);
    violations.push(...found.map((problem) => `kill ${kill}: ${problem}`));
    const [all] = await store.read([allSpent], 1_000_000);
    spent = all?.settled ?? 0;
    await store.close();
  }
  return { violations, spent };
}
