import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { openFileStore } from '../../src/stores/file-store.ts';
import { growthBytes } from './kill-worlds.ts';

const child = fileURLToPath(new URL('router-kill-child.ts', import.meta.url));

/** Nano-dollars of a token. */
const price = 1_000;

/** Starts a router that spends, and kills it. Returns the tokens of each `cost` event that it has emitted. */
async function spendUntilKilled(
  path: string,
  url: string,
  dice: () => number,
): Promise<readonly number[]> {
  const args = ['--no-warnings', child, path, url];
  const router = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = (): boolean => router.kill('SIGKILL');
  let output = '';
  const wanted = Math.floor(dice() * 300);
  const delayMs = dice() * 5;
  router.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output.split('\n').length > wanted) setTimeout(kill, delayMs);
  });
  const [code, signal] = await once(router, 'close');
  if (signal !== 'SIGKILL') throw new Error(`the child ended by itself with ${code}`);
  return output.split('\n').slice(0, -1).map(Number);
}

/** What is settled, by the names of budgets and units; of all values of `by` together. */
async function settledIn(path: string): Promise<ReadonlyMap<string, number>> {
  const store = openFileStore(path, growthBytes);
  const rows = await store.list('["budget"', { now: Date.now(), max: 100 });
  await store.close();
  const sums = new Map<string, number>();
  for (const { key, settled, reserved } of rows) {
    const [, budget, , unit]: string[] = JSON.parse(key);
    const name = `${budget} ${unit}`;
    sums.set(name, (sums.get(name) ?? 0) + settled);
    sums.set('reserved', (sums.get('reserved') ?? 0) + reserved);
  }
  return sums;
}

/** Kills routers that spend from the same file, one after the other. Returns what was wrong. */
export async function killRouters(
  path: string,
  count: number,
  dice: () => number,
): Promise<{ readonly violations: readonly string[]; readonly requests: number }> {
  /** Tokens of each answer, no two the same. What was answered may not have been billed. */
  let answered = 0;
  const server = createServer((_, response) => {
    answered += 1;
    const inputTokens = answered;
    const usage = { inputTokens, outputTokens: 0, totalTokens: inputTokens };
    setTimeout(() => response.end(JSON.stringify(usage)), dice() * 5);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const violations: string[] = [];
  const billed = new Set<number>();
  for (let kill = 1; kill <= count; kill++) {
    for (const tokens of await spendUntilKilled(path, url, dice)) {
      if (billed.has(tokens)) violations.push(`kill ${kill}: ${tokens} is acknowledged twice`);
      billed.add(tokens);
    }
    const settled = await settledIn(path);
    const of = (name: string): number => settled.get(name) ?? 0;
    let acknowledged = [...billed].reduce((sum, tokens) => sum + tokens, 0);
    // One may have been killed between its settlement and its event.
    const more = of('all tokens') - acknowledged;
    if (more > 0 && more <= answered && !billed.has(more)) {
      billed.add(more);
      acknowledged += more;
    }
    const expected = new Map([
      ['all tokens', acknowledged],
      ['all usd', acknowledged * price],
      ['all requests', billed.size],
      ['user tokens', acknowledged],
      ['reserved', 0],
    ]);
    for (const [name, amount] of expected) {
      if (of(name) === amount) continue;
      violations.push(`kill ${kill}: ${name}: ${of(name)} are there, ${amount} were acknowledged`);
    }
  }
  server.closeAllConnections();
  server.close();
  return { violations, requests: billed.size };
}
