import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { runCommand } from '../../src/apps/cli/run-command.ts';
import { type SimulatedProviders, simulateProviders } from '../../src/testing.ts';

const root = new URL('../../', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'signalbox-evals-watch-'));
const caseCount = 100;

let vendors: SimulatedProviders;
/** Cases that the model answers wrongly, from the first one on. */
let wrong: Readonly<Record<string, number>> = {};
let calls = 0;

/** A document with a suite of so many cases. */
function writeDocument(name: string, count: number, more: string): string {
  const rows = Array.from({ length: count }, (_, n) => `n${n},double ${n},${2 * n}`);
  writeFileSync(join(folder, `${name}.csv`), `id,prompt,expected\n${rows.join('\n')}\n`);
  const suite = `{ name: ${name}, tier: fast, file: ${name}.csv, scorers: [numeric] }`;
  const path = join(folder, `${name}.yaml`);
  writeFileSync(
    path,
    `env: [SIM_KEY, SIM_URL]
providers:
  sim: { type: compatible, apiKey: '\${SIM_KEY}', baseURL: '\${SIM_URL}' }
tiers:
  fast: [sim/good, sim/cheap]
prices:
  sim/good: { input: 5, output: 25 }
  sim/cheap: { input: 1, output: 5 }
evals:
  suites: [${suite}]
  results: ${name}-results
  concurrency: 16
${more}`,
  );
  return path;
}

beforeAll(async () => {
  vendors = await simulateProviders();
  vendors.compatible.answer(({ model, body }) => {
    calls += 1;
    const n = Number(/double (\d+)/.exec(JSON.stringify(body.messages))?.[1]);
    const text = n < (wrong[model] ?? 0) ? 'no' : String(2 * n);
    return { text, usage: { inputTokens: 10, outputTokens: 2 } };
  });
});
beforeEach(() => {
  vi.stubEnv('SIM_KEY', 'key');
  vi.stubEnv('SIM_URL', vendors.compatible.baseURL);
});
afterAll(async () => {
  await vendors.close();
  rmSync(folder, { recursive: true });
});

const pair = ['--current', 'sim/good', '--candidate', 'sim/cheap'];

function compare(path: string, ...args: readonly string[]) {
  return runCommand(['evals', 'compare', path, ...pair, ...args]);
}

describe('signalbox evals compare', () => {
  it('says yes of a cheaper target that is as good, and what it saves, and asks nobody again', async () => {
    wrong = {};
    const path = writeDocument('equal', caseCount, '');
    calls = 0;
    const first = await compare(path, '--margin', '0.1', '--calls', '1000000', '--json');
    expect([first.exitCode, first.problem]).toEqual([0, '']);
    expect(JSON.parse(first.output)).toMatchObject({
      ok: true,
      compared: [
        {
          ...{ suite: 'equal', runs: 1, cases: caseCount, answer: 'yes', difference: 0 },
          current: { target: 'sim/good', score: 1, usdPerCall: expect.closeTo(0.0001) },
          saving: {
            ...{ calls: 1e6, usdNow: expect.closeTo(100), savedUsd: expect.closeTo(80) },
            savedUsdPerMonth: expect.closeTo(80),
          },
        },
      ],
    });
    expect(calls).toBe(2 * caseCount);
    const { output } = await compare(path, '--margin', '0.1', '--calls', '1000000');
    expect(calls).toBe(2 * caseCount);
    expect(
      output.replace(/(\d\.\d)(?= to|\))/g, 'n'),
    ).toBe(`suite equal: can sim/cheap replace sim/good?
  yes
  score 1.000 and 1.000: +0.0 points (90 %: -n to +n), margin 10.0
  100 cases, 1 run
  $0.00010 and $0.000020 a call: 80 % less
  saves $80.00 of $100.00 for 1000000 calls, $80.00 a month`);
  });

  it('takes the traffic of a file of events, without evals and drills', async () => {
    const path = writeDocument('equal', caseCount, '');
    const day = 86_400_000;
    const cost = (at: number, usd: number, more: object = {}) => ({
      ...{ type: 'cost', at, callId: 'c', tier: 'fast', tags: {}, target: 'sim/good', usd },
      ...{ usage: { inputTokens: 1, outputTokens: 1 }, ...more },
    });
    const lines = [
      cost(0, 10),
      cost(day, 5, { tags: { eval: 'equal' } }),
      cost(day, 5, { drill: 'd' }),
      cost(day, 5, { target: 'sim/cheap' }),
      cost(10 * day, 30),
    ];
    const events = join(folder, 'events.jsonl');
    writeFileSync(events, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const { output } = await compare(path, '--margin', '0.1', '--report', events);
    expect(output).toContain('saves $32.00 of $40.00 for 2 calls, $97.40 a month');
  });

  it('says no of one that is worse, with its cases', async () => {
    wrong = { cheap: 40 };
    const { exitCode, output } = await compare(writeDocument('worse', caseCount, ''));
    expect(exitCode).toBe(1);
    expect(output).toMatch(/\n {2}no\n/);
    expect(output).toMatch(/\n {2}worse: n0 1\.00 -> 0\.00, .*and 30 more/s);
  });

  it('says how many cases are missing', async () => {
    wrong = {};
    const { exitCode, output } = await compare(writeDocument('few', 20, ''));
    expect(exitCode).toBe(1);
    expect(output).toMatch(/not enough data: about \d+ cases are needed, there are 20/);
  });

  it('refuses what it cannot compare', async () => {
    const path = writeDocument('few', 20, '');
    const problemOf = async (...args: readonly string[]) =>
      (await runCommand(['evals', 'compare', path, ...args])).problem;
    expect(await problemOf('--current', 'sim/good')).toMatch(/--candidate: a target is required/);
    expect(await problemOf('--current', 'sim/good', '--candidate', 'sim/none')).toMatch(
      /no suite has "sim\/good" and "sim\/none" in its tier/,
    );
    expect(await problemOf(...pair, '--margin', '7')).toMatch(/--margin: must be a number/);
    expect(await problemOf(...pair, '--suite', 'none')).toMatch(/there is no suite "none"/);
  });
});

describe('signalbox evals watch', () => {
  it('prints what its runs find until it is terminated', async () => {
    wrong = {};
    const path = writeDocument('watched', 3, "  schedule: '* * * * * *'\n");
    const args = ['--no-warnings', `${root}src/cli.ts`, 'evals', 'watch', path, '--json'];
    const child = spawn(process.execPath, args, { env: process.env });
    let [stdout, stderr] = ['', ''];
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.stdout.on('data', (data) => {
      stdout += data;
      if (stdout.split('\n').length > 4) child.kill('SIGTERM');
    });
    const [code] = await once(child, 'close');
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^next run: \d{4}-/)]);
    const [first] = stdout.split('\n');
    expect(JSON.parse(first ?? '')).toMatchObject({
      ...{ type: 'eval-end', suite: 'watched', target: 'sim/good', score: 1 },
    });
  });

  it('needs a schedule', async () => {
    const { exitCode, problem } = await runCommand([
      ...['evals', 'watch', writeDocument('few', 20, '')],
    ]);
    expect([exitCode, problem]).toEqual([2, expect.stringContaining('set "schedule"')]);
  });
});
