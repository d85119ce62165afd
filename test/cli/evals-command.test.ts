import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { evalsHelp } from '../../src/apps/cli/evals-arguments.ts';
import { formatEvalsJunit } from '../../src/apps/cli/evals-junit.ts';
import { formatEvalsMarkdown } from '../../src/apps/cli/evals-markdown.ts';
import { ProgressNotes } from '../../src/apps/cli/progress-notes.ts';
import { runCommand } from '../../src/apps/cli/run-command.ts';
import type { EvalReport } from '../../src/evals.ts';
import { type SimulatedProviders, simulateProviders } from '../../src/testing.ts';

const root = new URL('../../', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'signalbox-evals-cli-'));
const models = ['good', 'equal', 'other'] as const;
const caseCount = 200;

let vendors: SimulatedProviders;
/** Milliseconds that an answer takes. */
let delayMs = 0;
/** Cases that the model answers wrongly, from the first one on. */
let wrong: Readonly<Record<string, number>> = {};
/** What was asked, as `model n`, in order. */
let asked: string[] = [];

beforeAll(async () => {
  vendors = await simulateProviders();
  vendors.compatible.answer(async ({ model, body }) => {
    const n = Number(/double (\d+)/.exec(JSON.stringify(body.messages))?.[1]);
    asked.push(`${model} ${n}`);
    if (delayMs > 0) await sleep(delayMs);
    // Case n: the last twenty are too hard for all models.
    const isWrong = n >= caseCount - 20 || n < (wrong[model] ?? 0);
    return { text: isWrong ? 'no' : String(2 * n), usage: { inputTokens: 10, outputTokens: 2 } };
  });
  const rows = Array.from({ length: caseCount }, (_, n) => `n${n},double ${n},${2 * n}`);
  writeFileSync(join(folder, 'cases.csv'), `id,prompt,expected\n${rows.join('\n')}\n`);
  writeFileSync(
    join(folder, 'doubles.yaml'),
    'name: doubles\ntier: fast\nfile: cases.csv\nscorers: [numeric]\n',
  );
  writeFileSync(
    join(folder, 'router.yaml'),
    `env: [SIM_KEY, SIM_URL]
providers:
  sim: { type: compatible, apiKey: '\${SIM_KEY}', baseURL: '\${SIM_URL}' }
tiers:
  fast: [${models.map((model) => `sim/${model}`).join(', ')}]
prices:
${models.map((model) => `  sim/${model}: { input: 1, output: 2 }`).join('\n')}
evals:
  suites: [doubles.yaml]
  concurrency: 8
`,
  );
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await vendors.close();
  rmSync(folder, { recursive: true });
});

/** Removes what runs have left, and sets the vendor's behaviour. */
function reset(behaviour: { readonly delayMs?: number; readonly wrong?: typeof wrong } = {}): void {
  rmSync(join(folder, 'evals'), { recursive: true, force: true });
  ({ delayMs = 0, wrong = {} } = behaviour);
  asked = [];
}

/** Runs the command in a child process. Requires `dist`, which `npm test` builds first. */
function start(...args: readonly string[]): ChildProcess {
  const env = { ...process.env, SIM_KEY: 'key', SIM_URL: vendors.compatible.baseURL };
  return spawn(process.execPath, ['--no-warnings', `${root}dist/cli.js`, 'evals', ...args], {
    cwd: folder,
    env,
  });
}

async function signalbox(...args: readonly string[]) {
  const child = start(...args);
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (data) => {
    stdout += data;
  });
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

/** The keys of the recorded answers, as `model n`, with repetitions. */
function recordedAnswers(): readonly string[] {
  const directory = join(folder, 'evals/results/doubles');
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1))
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === 'answer')
    .map(({ target, case: id }) => `${target.slice(4)} ${id.slice(1)}`);
}

/** The same in this process. */
async function inProcess(...args: readonly string[]) {
  vi.stubEnv('SIM_KEY', 'key');
  vi.stubEnv('SIM_URL', vendors.compatible.baseURL);
  return await runCommand(['evals', 'run', join(folder, 'router.yaml'), ...args]);
}

describe('signalbox evals', () => {
  it('goes on after kill -9 at any time, and asks nothing again that is recorded', async () => {
    reset({ delayMs: 20 });
    const inFlight = 8 * models.length;
    const shares = [0.1, 0.45, 0.8];
    let recorded = new Set<string>();
    for (const share of shares) {
      const before = asked.length;
      const child = start('run', 'router.yaml');
      while (asked.length < share * caseCount * models.length) await sleep(2);
      child.kill('SIGKILL');
      await once(child, 'close');
      // Requests that were sent before the end may still arrive.
      await sleep(50);
      expect(asked.slice(before).filter((each) => recorded.has(each))).toEqual([]);
      recorded = new Set(recordedAnswers());
    }
    delayMs = 0;
    const again = asked.length;
    const { code, stdout, stderr } = await signalbox('run', 'router.yaml', '--json');
    expect(code, stderr).toBe(0);
    expect(asked.slice(again).filter((each) => recorded.has(each))).toEqual([]);
    // Each answer is recorded once, and only what was in flight was asked again.
    expect(recordedAnswers()).toHaveLength(caseCount * models.length);
    expect(new Set(recordedAnswers()).size).toBe(caseCount * models.length);
    expect(asked.length).toBeLessThanOrEqual(caseCount * models.length + shares.length * inFlight);
    const { reports } = JSON.parse(stdout);
    for (const each of reports[0].result.targets) {
      expect(each).toMatchObject({ scored: caseCount, score: { mean: 0.9 }, failures: {} });
    }
  });

  it('exits with 1 for a target 15 points worse than its baseline, and names it alone', async () => {
    reset();
    const first = await signalbox('run', 'router.yaml', '--update-baseline');
    expect(first.code, first.stderr).toBe(0);
    expect(first.stderr).toMatch(/sim\/good in doubles has 1 runs; it needs 3 before/);
    // Two more runs with the same scores.
    const path = join(folder, 'evals/baseline.json');
    const baseline = JSON.parse(readFileSync(path, 'utf8'));
    for (const target of Object.values<{ runs: string[]; cases: object }>(
      baseline.suites.doubles,
    )) {
      target.runs = [...target.runs, ...target.runs, ...target.runs];
      for (const each of Object.values(target.cases)) each.scores = Array(3).fill(each.scores[0]);
    }
    writeFileSync(path, JSON.stringify(baseline));
    wrong = { other: 30 };
    const junit = join(folder, 'junit.xml');
    const { code, stdout, stderr } = await signalbox(
      ...['run', 'router.yaml', '--junit', junit, '--update-baseline'],
    );
    expect(code, stderr).toBe(1);
    // In a pipe: no colours, no bar, no line that is too long.
    for (const sign of ['\u001B', '\r', '█']) expect(stdout + stderr).not.toContain(sign);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(stderr).toMatch(/^doubles {2}60\/600 {2}\$0\.00\d+$/m);
    expect(stdout).toMatch(/^sim\/good .* steady$/m);
    expect(stdout).toMatch(/^sim\/equal .* steady$/m);
    expect(stdout).toMatch(/^sim\/other .* -15\.0 .* regressed$/m);
    expect(stdout).toMatch(/^sim\/other is 15\.0 points below its baseline/m);
    expect(stdout).toMatch(/^ {2}n0: 1\.00 -> 0\.00$/m);
    const tests = parseJunit(readFileSync(junit, 'utf8'));
    expect(tests.filter(({ kind }) => kind === 'failure')).toHaveLength(31);
    expect(tests).toHaveLength(3 * 201);
    // A regression is not added to the baseline.
    expect(stderr).toMatch(/sim\/good in doubles has 4 runs/);
    expect(stderr).not.toMatch(/sim\/other in/);
  });

  it('says what a run would take and can see, and sends nothing', async () => {
    reset();
    const { exitCode, output: stdout } = await inProcess('--dry-run');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^sim\/good +200 +\d+ +60000 +\$0\.1\d +unknown$/m);
    expect(stdout).toMatch(
      /^smallest drop that is found in 9 of 10 times: \d+ points in one run, \d+/m,
    );
    expect(asked).toEqual([]);
  });

  it('stops at --max-usd with exit code 1', async () => {
    reset();
    const { exitCode, output: stdout } = await inProcess('--max-usd', '0.005');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /stopped, the next answer could cost more than is left of \$0\.005;\nthe next run goes on/,
    );
  });

  it('exits with 2 for wrong use', async () => {
    const problemOf = async (...args: readonly string[]) => {
      const { exitCode, problem } = await runCommand(['evals', ...args]);
      expect(exitCode).toBe(2);
      return problem;
    };
    expect(await problemOf('walk')).toMatch(/the actions are run, compare and watch/);
    expect(await problemOf('run')).toMatch(/a file is required/);
    expect(await problemOf('run', 'a.mjs', '--max-usd', '0')).toMatch(
      /--max-usd: must be a positive/,
    );
    expect(await problemOf('watch', 'a.mjs', '--max-usd', 'Infinity')).toMatch(
      /--max-usd: must be a positive/,
    );
    expect(await problemOf('run', 'a.mjs', '--json', '--markdown')).toMatch(/exclude each other/);
    expect(await problemOf('run', join(folder, 'doubles.yaml'))).toMatch(
      /providers \(.*\): must be an object/,
    );
    writeFileSync(join(folder, 'empty.mjs'), 'export const config = 1;');
    expect(await problemOf('run', join(folder, 'empty.mjs'))).toMatch(
      /does not export what createEvals/,
    );
    writeFileSync(
      join(folder, 'typo.yaml'),
      `providers: { sim: { type: compatible, baseURL: http://x.invalid } }
tiers: { fast: [sim/x] }
evals:
  suites: [doubles.yaml]
  concurrency: many
`,
    );
    expect(await problemOf('run', join(folder, 'typo.yaml'))).toMatch(
      /evals\.concurrency \(\d+:3\)/,
    );
    expect((await runCommand(['evals', '--help'])).output).toBe(evalsHelp);
  });
});

/** The test cases of a JUnit report. @throws Error if it is not well-formed, or its counts are wrong */
function parseJunit(xml: string) {
  const open: string[] = [];
  const tests: { name: string; kind: string }[] = [];
  const counts: Record<string, number>[] = [];
  const text = xml.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n/, '');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML must not have them.
  expect(text).not.toMatch(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/);
  const tag = /<(\/?)([a-z]+)((?: [a-z]+="[^"<]*")*)(\/?)>|([^<]+)/y;
  let end = 0;
  for (let match = tag.exec(text); match !== null; match = tag.exec(text)) {
    end = tag.lastIndex;
    const [whole, slash, name = '', attributes = '', empty, between] = match;
    if (between !== undefined) {
      expect(between.trim()).toBe('');
      continue;
    }
    for (const [, entity] of whole.matchAll(/&([^;]*;?)/g))
      expect(entity).toMatch(/^(?:amp|lt|gt|quot|apos|#\d+);$/);
    const values = Object.fromEntries(
      [...attributes.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
    );
    if (slash === '/') expect(open.pop()).toBe(name);
    else {
      const parents: Record<string, string | undefined> = {
        testsuites: undefined,
        testsuite: 'testsuites',
        testcase: 'testsuite',
      };
      expect(open.at(-1)).toBe(name in parents ? parents[name] : 'testcase');
      if (name === 'testsuite') {
        counts.push({
          tests: Number(values.tests),
          failure: Number(values.failures),
          error: Number(values.errors),
          skipped: Number(values.skipped),
        });
      } else if (name === 'testcase') tests.push({ name: values.name ?? '', kind: 'pass' });
      else if (name !== 'testsuites') Object.assign(tests.at(-1) ?? {}, { kind: name });
      if (empty !== '/') open.push(name);
    }
  }
  expect([open, end]).toEqual([[], text.length]);
  const sum = (name: string) => counts.reduce((total, each) => total + (each[name] ?? 0), 0);
  expect(sum('tests')).toBe(tests.length);
  for (const kind of ['failure', 'error', 'skipped']) {
    expect(sum(kind)).toBe(tests.filter((each) => each.kind === kind).length);
  }
  return tests;
}

describe('the formats of a report', () => {
  const hostile = 'a<b & "c" \u0007\uD800\n|`x`|';
  const report: EvalReport = {
    reports: [
      {
        result: {
          ...{
            version: 1,
            run: '2026-11-30T08-00-00.000Z',
            suite: 's',
            tier: 'fast',
            fingerprint: 'f',
          },
          ...{ samples: 1, minEffect: 0.02 },
          targets: [
            {
              ...{
                target: 'a/x',
                scored: 0,
                failures: { auth: 5 },
                givenUp: 'auth',
                usd: 0,
                scorersUsd: 0,
              },
              ...{ inputTokens: 0, outputTokens: 0 },
              cases: [
                { id: hostile, hash: 'h', score: null, samples: [], failures: ['auth'] },
                { id: 'two', hash: 'h', score: null, samples: [] },
              ],
            },
          ],
        },
        sees: {},
        targets: [{ target: 'a/x', baselineRuns: 0, state: 'unknown', reason: hostile, worse: [] }],
      },
    ],
    unfinished: [{ suite: 't', reason: 'max-usd', message: 'no money' }],
    usd: 0,
  };

  it('are well-formed XML whatever is in names', () => {
    const tests = parseJunit(formatEvalsJunit(report));
    expect(tests.map(({ kind }) => kind)).toEqual(['failure', 'error', 'skipped', 'error']);
    expect(tests[1]?.name).toBe('a&lt;b &amp; &quot;c&quot; \uFFFD\uFFFD&#10;|`x`|');
  });

  it('are Markdown without markup of names', () => {
    const text = formatEvalsMarkdown(report);
    expect(text).toMatch(/^- a\/x gave no answers \(auth\)/m);
    expect(text).toContain('a&#60;b &#38; "c"');
    expect(text).not.toMatch(/<b /);
  });

  it('do not take an unknown price for nothing', () => {
    const unpriced = report.reports.map((each) => ({
      ...each,
      result: {
        ...each.result,
        targets: each.result.targets.map((target) => ({ ...target, usd: null })),
      },
    }));
    const text = formatEvalsMarkdown({ ...report, reports: unpriced });
    expect(text).toContain('Cost of this run: $0.00 and what is unknown: set its prices');
  });
});

describe('progress', () => {
  const terminal = { columns: 80, color: 'off' } as const;
  const show = (kind: 'bar' | 'lines') => {
    const written: string[] = [];
    const notes = new ProgressNotes({
      kind,
      terminal,
      write: (text) => written.push(text),
      print: () => undefined,
    });
    for (let done = 1; done <= 100; done += 1)
      notes.show({ label: 's', done, total: 100, suffix: '$1' });
    notes.end();
    return written;
  };

  it('is a bar on a terminal', () => {
    const written = show('bar');
    expect(written[49]).toBe(`\r${'█'.repeat(12)}${'░'.repeat(12)} s  50/100  $1\u001B[K`);
    expect(written.at(-1)).toBe('\r\u001B[K');
  });

  it('is a line for each tenth elsewhere', () => {
    expect(show('lines')).toEqual(
      [1, ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => n * 10)].map((n) => `s  ${n}/100  $1\n`),
    );
  });
});
