import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createEvals, type EvalsOptions, exact } from '../../src/evals.ts';
import { createRouter, type RouterEvent, toLogEntry } from '../../src/index.ts';
import { auditLog } from '../../src/policies.ts';
import { type FakeRuntime, fakeProvider, fakeRuntime } from '../../src/testing.ts';

const root = mkdtempSync(join(tmpdir(), 'signalbox-drift-'));
afterAll(() => rmSync(root, { recursive: true }));

let folders = 0;
const newFolder = (): string => {
  folders += 1;
  return join(root, String(folders));
};

const dayMs = 86_400_000;
const caseCount = 12;
/** Thursday. The first Monday after it is the 5th. */
const start = Date.UTC(2026, 0, 1);

/** By target: how many of the cases it answers wrongly, from the first one on. */
type Wrong = Record<string, number>;

type World = Partial<EvalsOptions> & {
  readonly runtime?: FakeRuntime;
  readonly folder?: string;
  readonly targets?: readonly `${'a' | 'b' | 'c'}/x`[];
};

function open({
  folder = newFolder(),
  runtime = fakeRuntime({ now: start }),
  targets = ['a/x', 'b/x', 'c/x'],
  ...more
}: World = {}) {
  const wrong: Wrong = {};
  const provider = (name: string) =>
    fakeProvider(
      (request) => {
        const n = Number(/double (\d+)/.exec(JSON.stringify(request.messages))?.[1]);
        return n < (wrong[name] ?? 0) ? 'no' : String(2 * n);
      },
      { runtime },
    );
  const router = createRouter({
    providers: { a: provider('a'), b: provider('b'), c: provider('c') },
    ...{ runtime, plugins: [auditLog({ file: `${folder}.audit` })] },
    tiers: { fast: { targets }, alone: ['a/x'] },
  });
  const events: RouterEvent[] = [];
  router.on('*', (event) => events.push(event));
  const cases = Array.from({ length: caseCount }, (_, n) => ({
    ...{ id: `n${n}`, prompt: `double ${n}`, expected: 2 * n },
  }));
  const evals = createEvals(router, {
    suites: [{ name: 'doubles', tier: 'fast', scorers: [exact], cases }],
    results: folder,
    baseline: join(folder, 'baseline.json'),
    ...{ runtime, onDrift: 'demote' as const, ...more },
  });
  const of = <Type extends RouterEvent['type']>(type: Type) =>
    events.filter((each): each is Extract<RouterEvent, { type: Type }> => each.type === type);
  const order = async () => {
    const { candidates } = await router.explain('fast', 'hello');
    return candidates.map(({ target }) => target[0]).join('');
  };
  const demoted = () =>
    Object.entries(router.snapshot().targets)
      .filter(([, each]) => each.demoted !== undefined)
      .map(([target]) => target);
  return { router, evals, events, of, wrong, order, demoted, runtime, folder };
}

type Opened = ReturnType<typeof open>;

/** Makes three runs the baseline. */
async function addBaseline({ evals, runtime }: Opened): Promise<void> {
  for (let run = 0; run < 3; run += 1) {
    const { reports } = await evals.run();
    evals.updateBaseline(reports.map(({ result }) => result));
    await runtime.advance(1000);
  }
}

/** Moves the clock to a time, and lets the run that starts then finish. */
async function advanceTo({ runtime, of }: Opened, at: number): Promise<void> {
  const before = of('eval-end').length;
  await runtime.advance(at - runtime.now());
  for (let turn = 0; turn < 500 && of('eval-end').length < before + 3; turn += 1) {
    await runtime.settle();
  }
}

describe('drift on a schedule', () => {
  it('puts a target that got worse on Wednesday behind the others after its next run, and back after two clean weeks', async () => {
    const world = open({ schedule: '0 3 * * 1', timeZone: 'UTC' });
    const { evals, of, wrong, order, demoted, folder, router } = world;
    await addBaseline(world);
    await evals.start();
    const monday = (week: number): number => start + (4 + 7 * week) * dayMs + 3 * 3_600_000;
    expect(evals.nextRun()).toBe(monday(0));
    await advanceTo(world, monday(0));
    expect([await order(), of('drift-detected')]).toEqual(['abc', []]);

    await world.runtime.advance(2 * dayMs);
    wrong.a = 9;
    expect(await order()).toBe('abc');
    await advanceTo(world, monday(1));
    expect(await order()).toBe('bca');
    expect(demoted()).toEqual(['a/x']);
    const [detected, ...more] = of('drift-detected');
    expect(more).toEqual([]);
    expect(detected).toMatchObject({
      ...{ at: monday(1), callId: null, tier: null, source: 'suite', suite: 'doubles' },
      ...{ target: 'a/x', effect: 0.75, action: 'demoted' },
      evidence: { runs: 1 },
      cases: expect.arrayContaining([{ id: 'n0', before: 1, after: 0 }]),
    });
    expect(detected && toLogEntry(detected).level).toBe('warn');
    expect(of('target-demote')).toMatchObject([{ target: 'a/x', weight: 0 }]);
    expect(of('eval-end').at(-1)).toMatchObject({ sees: { inFourRuns: expect.any(Number) } });

    wrong.a = 0;
    await advanceTo(world, monday(2));
    expect([await order(), of('drift-cleared')]).toEqual(['bca', []]);
    await advanceTo(world, monday(3));
    expect(await order()).toBe('abc');
    expect(of('drift-cleared')).toMatchObject([
      { suite: 'doubles', target: 'a/x', reason: 'recovered', action: 'restored' },
    ]);
    expect(of('target-demote-end')).toMatchObject([{ target: 'a/x' }]);
    await evals.stop();
    expect([evals.nextRun(), world.runtime.pending]).toEqual([undefined, 0]);
    await router.close();
    const lines = readFileSync(`${folder}.audit`, 'utf8').split('\n').slice(0, -1);
    const changes = lines
      .map((line) => JSON.parse(line))
      .filter(({ event }) => event !== undefined);
    expect(changes.map(({ event }) => event)).toEqual([
      ...['target-demote', 'drift-detected', 'target-demote-end', 'drift-cleared'],
    ]);
    expect(changes[1]).toMatchObject({ target: 'a/x', suite: 'doubles', action: 'demoted' });
  });

  it('demotes again what had drifted when the process ended', async () => {
    const world = open();
    await addBaseline(world);
    world.wrong.a = 9;
    await world.evals.run();
    const next = open({ folder: world.folder, schedule: '@yearly' });
    expect(next.demoted()).toEqual([]);
    await next.evals.start();
    expect([next.demoted(), next.of('drift-detected')]).toEqual([['a/x'], []]);
    await next.evals.stop();
  });

  it('only reports by default', async () => {
    const world = open({ onDrift: 'report' });
    await addBaseline(world);
    world.wrong.a = 9;
    await world.evals.run();
    expect(world.of('drift-detected')).toMatchObject([{ target: 'a/x', action: 'reported' }]);
    expect(world.demoted()).toEqual([]);
  });

  it('ends when the baseline of the target is removed', async () => {
    const world = open();
    await addBaseline(world);
    world.wrong.a = 9;
    await world.evals.run();
    rmSync(join(world.folder, 'baseline.json'));
    await world.evals.run();
    expect(world.of('drift-cleared')).toMatchObject([
      { target: 'a/x', reason: 'no-baseline', action: 'restored' },
    ]);
    expect(world.demoted()).toEqual([]);
  });
});

describe('the last healthy target', () => {
  it('is reported and not demoted, with the reason, until another one is healthy again', async () => {
    const world = open({ targets: ['a/x', 'b/x'] });
    await addBaseline(world);
    const isolation = world.router.isolate('b/x');
    world.wrong.a = 9;
    await world.evals.run({ targets: ['a/x'] });
    expect(world.of('drift-detected')).toMatchObject([
      { target: 'a/x', action: 'reported', reason: 'last-healthy' },
    ]);
    expect(world.demoted()).toEqual([]);
    isolation.restore();
    await world.evals.run({ targets: ['a/x'] });
    expect(world.demoted()).toEqual(['a/x']);
  });

  it('is never demoted, in any sequence of drifts and isolations', async () => {
    const { random } = fakeRuntime({ seed: 7 });
    const world = open();
    await addBaseline(world);
    const targets = ['a/x', 'b/x', 'c/x'] as const;
    const isolations = new Map<string, { restore(): void }>();
    let demotions = 0;
    world.router.on('target-demote', () => {
      demotions += 1;
      const { targets: states } = world.router.snapshot();
      const healthy = targets.filter((each) => !states[each]?.demoted && !states[each]?.isolated);
      expect(healthy.length).toBeGreaterThan(0);
    });
    for (let step = 0; step < 40; step += 1) {
      const target = targets[Math.floor(random() * 3)] ?? 'a/x';
      const name = target.slice(0, 1);
      if (random() < 0.6) world.wrong[name] = world.wrong[name] ? 0 : 9;
      else if (isolations.has(target)) {
        isolations.get(target)?.restore();
        isolations.delete(target);
      } else isolations.set(target, world.router.isolate(target));
      const available = targets.filter((each) => !isolations.has(each));
      if (available.length > 0) await world.evals.run({ targets: available });
      await world.runtime.advance(dayMs);
      const { targets: states } = world.router.snapshot();
      expect(targets.filter((each) => !states[each]?.demoted)).not.toEqual([]);
    }
    expect(demotions).toBeGreaterThan(3);
  });
});

describe('a schedule', () => {
  it('runs once for all the times that passed while the machine slept', async () => {
    const world = open({ schedule: '0 3 * * *', timeZone: 'UTC' });
    let jumpMs = 0;
    const { runtime } = world;
    const asleep = { ...runtime, now: () => runtime.now() + jumpMs };
    const { evals } = open({ runtime: asleep, schedule: '0 3 * * *', timeZone: 'UTC' });
    await evals.start();
    jumpMs = 5 * dayMs;
    await runtime.advance(4 * 3_600_000);
    for (let turn = 0; turn < 100 && (await evals.results()).length === 0; turn += 1) {
      await runtime.settle();
    }
    await runtime.advance(3_600_000);
    expect(await evals.results()).toHaveLength(1);
    await evals.stop();
  });

  it('makes up for a time that passed while the process was not running', async () => {
    const world = open({ schedule: '0 3 * * 1', timeZone: 'UTC' });
    await world.evals.run();
    await world.runtime.advance(30 * dayMs);
    await world.evals.start();
    await advanceTo(world, world.runtime.now() + 1);
    expect(world.of('eval-end')).toHaveLength(6);
    await world.evals.stop();
  });

  it('does not start a first run before its time', async () => {
    const world = open({ schedule: '0 3 * * 1', timeZone: 'UTC' });
    await world.evals.start();
    await world.runtime.advance(dayMs);
    expect(world.of('call-start')).toEqual([]);
    await world.evals.stop();
  });

  it('aborts its run on stop, and goes on with it on start', async () => {
    const world = open({ schedule: '0 3 * * 1', timeZone: 'UTC', concurrency: 1 });
    const off = world.router.on('attempt-end', () => {
      if (world.of('attempt-end').length === 20) void world.evals.stop();
    });
    await world.evals.start();
    await world.runtime.advance(5 * dayMs);
    await world.evals.stop();
    off();
    expect(world.of('eval-end')).toEqual([]);
    await world.evals.start();
    await advanceTo(world, world.runtime.now() + 1);
    await world.evals.stop();
    expect(world.of('eval-end')).toHaveLength(3);
    const answered = world.of('attempt-end').filter(({ outcome }) => outcome === 'ok');
    // What was in flight is asked again: one request for each target.
    expect(answered.length).toBeLessThanOrEqual(3 * caseCount + 3);
  });

  it('reports a run that fails, and runs the next time', async () => {
    const folder = newFolder();
    const cases = join(root, 'cases.csv');
    const suite = { name: 'doubles', tier: 'fast', scorers: [exact], file: cases };
    const world = open({ folder, suites: [suite], schedule: '0 3 * * *', timeZone: 'UTC' });
    writeFileSync(cases, 'id,prompt,expected\nn1,double 1,2\n');
    await world.evals.start();
    writeFileSync(cases, 'id,question\nn1,double 1\n');
    await world.runtime.advance(dayMs);
    for (let turn = 0; turn < 500 && world.of('eval-failed').length === 0; turn += 1) {
      await world.runtime.settle();
    }
    expect(world.of('eval-failed')).toMatchObject([{ error: { code: 'config' } }]);
    expect(world.of('eval-failed').map((each) => toLogEntry(each).level)).toEqual(['error']);
    writeFileSync(cases, 'id,prompt,expected\nn1,double 1,2\n');
    await advanceTo(world, world.runtime.now() + dayMs);
    expect(world.of('eval-end')).toHaveLength(3);
    await world.evals.stop();
  });

  it('refuses what it cannot read, with the path', () => {
    expect(() => open({ schedule: 'on Mondays' })).toThrow(/\n.*schedule: must be a cron/);
    expect(() => open({ schedule: '0 3 * * 1', timeZone: 'Mars/Base' })).toThrow(
      /timeZone: must be/,
    );
  });

  it('is needed by start', async () => {
    await expect(open().evals.start()).rejects.toThrow('set "schedule"');
  });
});
