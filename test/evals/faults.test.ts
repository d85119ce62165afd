import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RunFile } from '../../src/apps/evals/run-file.ts';
import { createEvals, exact, judge, type Scorer, type Suite } from '../../src/evals.ts';
import { createRouter, type RouterEvent } from '../../src/index.ts';
import { type FakeScript, fakeProvider, fakeRuntime } from '../../src/testing.ts';

const root = mkdtempSync(join(tmpdir(), 'signalbox-evals-faults-'));
afterAll(() => rmSync(root, { recursive: true }));

let folders = 0;
const newFolder = (): string => join(root, String(folders++));

const price = { input: 1, output: 10 };

type World = {
  readonly suite?: Partial<Suite>;
  readonly grader?: FakeScript;
  readonly prices?: Readonly<Record<string, typeof price>>;
};

/** One suite with a case, whose target answers "yes". */
function open({ suite = {}, grader, prices = { 'a/x': price, 'grader/x': price } }: World = {}) {
  const runtime = fakeRuntime({ time: 'auto' });
  const providers = {
    a: fakeProvider('yes', { runtime }),
    grader: fakeProvider(grader ?? '{"reason":"","verdict":"pass"}', { runtime }),
  };
  const router = createRouter({
    ...{ runtime, providers, prices },
    tiers: { fast: ['a/x'], smart: { targets: ['grader/x'], retry: { attempts: 0 } } },
  });
  const events: RouterEvent[] = [];
  router.on('*', (event) => events.push(event));
  const whole: Suite = {
    ...{ name: 'one', tier: 'fast', scorers: [exact] },
    ...{ cases: [{ id: 'c', prompt: 'yes?', expected: 'yes' }], ...suite },
  };
  const results = newFolder();
  const evals = createEvals(router, { suites: [whole], results, runtime });
  const billed = (): number =>
    events.reduce((sum, each) => sum + (each.type === 'cost' ? (each.usd ?? 0) : 0), 0);
  return { router, evals, providers, results, whole, billed };
}

async function targetWith(scorer: unknown) {
  const { evals, results } = open({ suite: { scorers: [scorer as Scorer] } });
  const { reports } = await evals.run();
  const folder = join(results, 'one');
  const [log = ''] = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
  return { target: reports[0]?.result.targets[0], log: readFileSync(join(folder, log), 'utf8') };
}

describe('a scorer', () => {
  it.each([null, '', '1', [], Number.NaN, -1, 1.5, {}, undefined])(
    'that returns %j has failed, and scored nothing',
    async (value) => {
      const { target } = await targetWith(() => value);
      expect(target).toMatchObject({ scored: 0, failures: { 'scorer 1: RangeError': 1 } });
    },
  );

  it('that throws is named with the class of its error; the log has the message', async () => {
    const { target, log } = await targetWith(function mine() {
      throw new TypeError('text is not iterable');
    });
    expect(target).toMatchObject({ failures: { 'mine: TypeError': 1 } });
    expect(log).toContain('text is not iterable');
    const other = await targetWith(() => Promise.reject(null));
    expect(other.target).toMatchObject({ failures: { 'scorer 1: error': 1 } });
  });

  it('that never settles does not outlive an aborted run', async () => {
    let seen: AbortSignal | undefined;
    const asked = Promise.withResolvers<void>();
    const stuck: Scorer = (_answer, _case, { signal }) => {
      seen = signal;
      asked.resolve();
      return new Promise<number>(() => undefined);
    };
    const { evals, results } = open({ suite: { scorers: [stuck] } });
    const stop = new AbortController();
    const run = evals.run({ signal: stop.signal });
    await asked.promise;
    stop.abort();
    await expect(run).rejects.toMatchObject({ code: 'aborted' });
    expect(seen?.aborted).toBe(true);
    const [log = ''] = readdirSync(join(results, 'one')).filter((name) => name.endsWith('.jsonl'));
    expect(readFileSync(join(results, 'one', log), 'utf8')).not.toContain('"type":"score"');
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1'])(
    'with the weight %j is refused',
    async (weight) => {
      const scorers = [exact({ weight: weight as number })];
      await expect(open({ suite: { scorers } }).evals.run()).rejects.toThrow(
        /scorers\[0\]\.weight: must be a number above 0/,
      );
    },
  );
});

describe('a run', () => {
  it('that is aborted before it starts fails with "aborted"', async () => {
    const { evals, providers } = open();
    const error = await evals.run({ signal: AbortSignal.abort() }).catch((each: unknown) => each);
    expect(error).toMatchObject({ code: 'aborted', message: expect.stringContaining('"one"') });
    expect(providers.a.calls).toHaveLength(0);
  });

  it('names the case whose messages are wrong', async () => {
    const cases = [{ id: 'odd', messages: [{ role: 'usr', content: 'x' } as never] }];
    const scorers = [() => 1];
    await expect(open({ suite: { cases, scorers } }).evals.run()).rejects.toThrow(
      /suite "one", case odd: .*role: must be one of/s,
    );
  });

  it('has no option that it does not know: a cap that is misspelt is none', async () => {
    const { evals, router, whole } = open();
    await expect(evals.run({ maxUSD: 1 } as never)).rejects.toThrow(
      /maxUSD: unknown option; did you mean "maxUsd"\?/,
    );
    const options = { suites: [whole], results: newFolder(), baselne: 'x.json' };
    expect(() => createEvals(router, options as never)).toThrow(/did you mean "baseline"\?/);
  });

  it('checks suites that were not made by defineSuite', async () => {
    for (const [suite, message] of [
      [undefined, /suite/],
      [{ name: '../../x' }, /name: must be 1 to 100 letters/],
      [{ scorers: undefined }, /scorers/],
    ] as const) {
      const { router, whole } = open();
      const suites = [suite && { ...whole, ...suite }];
      const evals = createEvals(router, { suites: suites as never, results: newFolder() });
      await expect(evals.run()).rejects.toMatchObject({
        code: 'config',
        message: expect.stringMatching(message),
      });
    }
  });

  it('keeps apart two suites that share a directory', async () => {
    const { router, whole } = open();
    const suites = [
      { ...whole, name: 'a b' },
      { ...whole, name: 'a-b' },
    ];
    const evals = createEvals(router, { suites, results: newFolder() });
    await evals.run();
    expect((await evals.results()).map(({ suite }) => suite)).toEqual(['a b', 'a-b']);
  });
});

describe('files', () => {
  it('that are no results are named', async () => {
    const { evals, results } = open();
    mkdirSync(join(results, 'one'), { recursive: true });
    writeFileSync(join(results, 'one', 'package.json'), '{"name":"x"}');
    await expect(evals.run()).rejects.toThrow(/package\.json is not a result of signalbox evals/);
    rmSync(join(results, 'one'), { recursive: true });
    writeFileSync(join(results, 'one'), '');
    await expect(evals.run()).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(/one.*ENOTDIR/),
    });
    rmSync(join(results, 'one'));
    mkdirSync(join(results, 'one', 'x.jsonl'), { recursive: true });
    await expect(evals.run()).rejects.toMatchObject({ code: 'config' });
  });

  it.runIf(process.platform === 'linux')('give their lock back when the disk is full', () => {
    let released = 0;
    const file = new RunFile('/dev/full', { release: () => released++ }, () => 0);
    file.open(0);
    const record = { type: 'given-up', target: 'a/x', code: 'timeout' } as const;
    expect(() => file.append(record)).toThrow(/the disk is full; make space \(ENOSPC\)/);
    // Nor does it sync.
    expect(() => file.close()).toThrow(/cannot write \/dev\/full/);
    expect(released).toBe(1);
    expect(() => file.close()).not.toThrow();
  });
});

describe('money', () => {
  const labelled = Array.from({ length: 30 }, (_, n) => ({
    ...{ id: `l${n}`, prompt: `is ${n} even?`, answer: 'yes', label: 1 },
  }));
  const cases = [{ id: 'c', prompt: 'yes?' }, ...labelled];
  const scorers = [judge({ tier: 'smart', rubric: 'right' })];

  it('counts calls of judges that failed', async () => {
    const suite = { cases: cases.slice(0, 1), scorers };
    const { evals, billed } = open({ suite, grader: 'no JSON' });
    const { usd, reports } = await evals.run();
    expect(reports[0]?.result.targets).toMatchObject([
      { failures: { 'judge: invalid_output': 1 } },
    ]);
    expect(usd).toBeGreaterThan(0);
    expect(usd).toBeCloseTo(billed(), 12);
  });

  it('stops within maxUsd while labelled cases are graded, and goes on', async () => {
    const { evals, providers } = open({ suite: { cases, scorers } });
    const first = await evals.run({ maxUsd: 0.001 });
    expect(first.unfinished).toMatchObject([{ suite: 'one', reason: 'max-usd' }]);
    const graded = providers.grader.calls.length;
    expect(graded).toBeLessThan(30);
    expect(first.usd).toBeLessThan(0.003);
    await evals.run();
    expect(providers.grader.calls.length).toBe(31);
  });

  it('needs the prices of judges, too', async () => {
    const { evals } = open({ suite: { cases, scorers }, prices: { 'a/x': price } });
    await expect(evals.run({ maxUsd: 1 })).rejects.toThrow(/the price of grader\/x is unknown/);
  });
});

describe('images', () => {
  /** Two images in one buffer, as a pool of buffers has them. */
  const bytes = new Uint8Array([1, 2, 3, 4]);
  const image = (data: Uint8Array | string) =>
    [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'what is it?' },
          { type: 'image', source: { data, mediaType: 'image/png' } },
        ],
      },
    ] as const;

  it('of other bytes are other cases, also in one buffer', async () => {
    const cases = [
      { messages: image(bytes.subarray(0, 2)), expected: 'yes' },
      { messages: image(bytes.subarray(2)), expected: 'yes' },
    ];
    const { reports } = await open({ suite: { cases } }).evals.run();
    expect(reports[0]?.result.targets[0]?.cases).toHaveLength(2);
  });

  it('are not text for judges and estimates', async () => {
    const scorers = [judge({ tier: 'smart', rubric: 'right' })];
    for (const data of [Buffer.alloc(9_000, 7), new Uint8Array(9_000), 'A'.repeat(9_000)]) {
      const { evals, providers } = open({ suite: { cases: [{ messages: image(data) }], scorers } });
      const [estimate] = await evals.estimate();
      expect(estimate?.targets[0]?.inputTokens).toBeLessThan(200);
      await evals.run();
      const asked = JSON.stringify(providers.grader.calls[0]?.request.messages);
      expect(asked).toContain('what is it?');
      expect(asked.length).toBeLessThan(1_500);
    }
  });
});
