import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Route } from '../../src/protocol/call-options.ts';
import type { WhenAllOpen } from '../../src/protocol/config.ts';
import type { Capability } from '../../src/protocol/provider.ts';
import type { Candidate, Needs, Unavailable } from '../../src/routing/candidate.ts';
import { plan } from '../../src/routing/plan.ts';

function candidate(id: string): Candidate {
  const [provider = '', model = ''] = id.split('/');
  return { id, provider, model, tier: 't', weight: 1, limits: {}, tags: {}, options: {} };
}

function tier(...ids: readonly string[]): readonly Candidate[] {
  return ids.map(candidate);
}

type World = {
  readonly tiers: readonly (readonly Candidate[])[];
  readonly route?: Route;
  readonly whenAllOpen?: WhenAllOpen;
  readonly needs?: Partial<Needs>;
  readonly lacking?: Readonly<Record<string, Capability>>;
  readonly windows?: Readonly<Record<string, number>>;
  readonly unavailable?: Readonly<Record<string, Unavailable>>;
};

const everything: readonly Capability[] = [
  'vision',
  'audio',
  'files',
  'tools',
  'structured-output',
];

function planned(world: World) {
  const { lacking, windows, unavailable } = world;
  const result = plan(
    world.tiers.flat(),
    { capabilities: new Set(), minimumTokens: 0, ...world.needs },
    { route: world.route, whenAllOpen: world.whenAllOpen ?? 'try-least-bad' },
    {
      capabilities: ({ id }) => new Set(everything.filter((each) => each !== lacking?.[id])),
      contextWindow: ({ id }) => windows?.[id],
      unavailable: ({ id }) => unavailable?.[id],
      keyed: (target) => [target],
      excluded: () => undefined,
    },
  );
  return { ...result, order: result.candidates.map(({ id }) => id) };
}

const down = (until: number | undefined, reason = 'circuit open'): Unavailable => ({
  reason,
  until,
});

describe('the order', () => {
  test('is that of the tier, then that of its fallback tiers', () => {
    expect(planned({ tiers: [tier('a/1', 'b/1'), tier('c/1')] }).order).toEqual([
      'a/1',
      'b/1',
      'c/1',
    ]);
  });

  test('contains a target of several tiers once, at its first position', () => {
    const { order } = planned({ tiers: [tier('a/1', 'b/1', 'a/1'), tier('c/1', 'b/1', 'd/1')] });
    expect(order).toEqual(['a/1', 'b/1', 'c/1', 'd/1']);
  });
});

describe('a route', () => {
  const tiers = [tier('a/1', 'b/1', 'a/2'), tier('c/1')];

  test('with only skips all other targets, with a reason', () => {
    const { order, skipped } = planned({ tiers, route: { only: ['a', 'c/1'] } });
    expect(order).toEqual(['a/1', 'a/2', 'c/1']);
    expect(skipped).toEqual([{ target: 'b/1', reason: 'not in route.only' }]);
  });

  test('with ignore skips those targets, even if they are in only', () => {
    const { order, skipped } = planned({
      tiers,
      route: { only: ['a', 'b'], ignore: ['a/1', 'b'] },
    });
    expect(order).toEqual(['a/2']);
    expect(skipped).toEqual([
      { target: 'a/1', reason: 'in route.ignore' },
      { target: 'b/1', reason: 'in route.ignore' },
      { target: 'c/1', reason: 'not in route.only' },
    ]);
  });

  test('with order moves those targets of all tiers first and keeps the order of the others', () => {
    expect(planned({ tiers, route: { order: ['c', 'a/2', 'unknown'] } }).order).toEqual([
      'c/1',
      'a/2',
      'a/1',
      'b/1',
    ]);
  });
});

describe('the needs of a call', () => {
  test('skip targets without a required capability', () => {
    const { order, skipped } = planned({
      tiers: [tier('a/1', 'b/1')],
      needs: { capabilities: new Set(['tools', 'vision']) },
      lacking: { 'a/1': 'vision' },
    });
    expect(order).toEqual(['b/1']);
    expect(skipped).toEqual([{ target: 'a/1', reason: 'lacks vision' }]);
  });

  test('skip targets whose window is too small, but not those that just fit or are unknown', () => {
    const { order, skipped } = planned({
      tiers: [tier('a/1', 'b/1', 'c/1')],
      needs: { minimumTokens: 1_000 },
      windows: { 'a/1': 999, 'b/1': 1_000 },
    });
    expect(order).toEqual(['b/1', 'c/1']);
    expect(skipped).toEqual([
      { target: 'a/1', reason: 'context window of 999 tokens is too small' },
    ]);
  });
});

describe('unavailable targets', () => {
  test('are skipped while another is available, with reason and time', () => {
    const { order, skipped, leastBad } = planned({
      tiers: [tier('a/1', 'b/1')],
      unavailable: { 'a/1': down(500) },
    });
    expect(order).toEqual(['b/1']);
    expect(skipped).toEqual([{ target: 'a/1', reason: 'circuit open', until: 500 }]);
    expect(leastBad).toBeUndefined();
  });

  test('include the one that recovers first if none is available', () => {
    const { order, skipped, leastBad } = planned({
      tiers: [tier('a/1', 'b/1', 'c/1')],
      unavailable: { 'a/1': down(500), 'b/1': down(200, 'rate limited'), 'c/1': down(undefined) },
    });
    expect(order).toEqual(['b/1']);
    expect(leastBad).toEqual({ reason: 'rate limited', until: 200 });
    expect(skipped).toEqual([
      { target: 'a/1', reason: 'circuit open', until: 500 },
      { target: 'c/1', reason: 'circuit open' },
    ]);
  });

  test('include the first if all have a probe in flight', () => {
    const { order, leastBad } = planned({
      tiers: [tier('a/1', 'b/1')],
      unavailable: { 'a/1': down(undefined), 'b/1': down(undefined) },
    });
    expect(order).toEqual(['a/1']);
    expect(leastBad).toEqual({ reason: 'circuit open', until: undefined });
  });

  test('are all skipped with fail-fast', () => {
    const { order, skipped, leastBad } = planned({
      tiers: [tier('a/1', 'b/1')],
      whenAllOpen: 'fail-fast',
      unavailable: { 'a/1': down(500), 'b/1': down(200) },
    });
    expect(order).toEqual([]);
    expect(leastBad).toBeUndefined();
    expect(skipped.map(({ target }) => target)).toEqual(['a/1', 'b/1']);
  });

  const busy = (until?: number): Unavailable => ({ reason: 'its rpm limit', until, waits: true });

  test('that wait for a limit are skipped first and tried last', () => {
    const { order, skipped } = planned({
      tiers: [tier('a/1', 'b/1', 'c/1', 'd/1')],
      unavailable: { 'a/1': busy(500), 'b/1': busy(200), 'c/1': down(100) },
    });
    expect(order).toEqual(['d/1', 'b/1', 'a/1']);
    expect(skipped.map(({ target }) => target)).toEqual(['a/1', 'b/1', 'c/1']);
  });

  test('that wait for a limit are ordered by time, with the least bad one, if none is available', () => {
    const { order, skipped } = planned({
      tiers: [tier('a/1', 'b/1', 'c/1', 'd/1')],
      unavailable: { 'a/1': busy(500), 'b/1': down(200), 'c/1': busy(), 'd/1': down(900) },
    });
    expect(order).toEqual(['c/1', 'a/1']);
    expect(skipped.map(({ target }) => target)).toEqual(['b/1', 'd/1']);
    const down200 = planned({
      tiers: [tier('a/1', 'b/1')],
      unavailable: { 'a/1': busy(500), 'b/1': down(200) },
    });
    expect(down200.order).toEqual(['b/1', 'a/1']);
  });

  test('that wait for a limit are tried even with fail-fast', () => {
    const { order, leastBad } = planned({
      tiers: [tier('a/1', 'b/1')],
      whenAllOpen: 'fail-fast',
      unavailable: { 'a/1': down(5), 'b/1': busy(200) },
    });
    expect(order).toEqual(['b/1']);
    expect(leastBad).toBeUndefined();
  });

  test('never include one that cannot take the call', () => {
    const { order } = planned({
      tiers: [tier('a/1', 'b/1')],
      needs: { capabilities: new Set(['vision']) },
      lacking: { 'a/1': 'vision' },
      unavailable: { 'a/1': down(1), 'b/1': down(900) },
    });
    expect(order).toEqual(['b/1']);
  });
});

test('lists every target once, as candidate or skipped, and is deterministic', () => {
  const id = fc.constantFrom('a/1', 'a/2', 'b/1', 'b/2', 'c/1');
  const name = fc.oneof(id, fc.constantFrom('a', 'b', 'c'));
  const names = fc.option(fc.array(name), { nil: undefined });
  fc.assert(
    fc.property(
      fc.array(fc.array(id), { minLength: 1, maxLength: 3 }),
      names,
      names,
      names,
      fc.dictionary(id, fc.option(fc.nat(999), { nil: undefined })),
      fc.constantFrom<WhenAllOpen>('try-least-bad', 'fail-fast'),
      (lists, only, ignore, order, untils, whenAllOpen) => {
        const world: World = {
          tiers: lists.map((list) => tier(...list)),
          route: {
            ...(only !== undefined && { only: only as never }),
            ...(ignore !== undefined && { ignore: ignore as never }),
            ...(order !== undefined && { order: order as never }),
          },
          whenAllOpen,
          unavailable: Object.fromEntries(
            Object.entries(untils).map(([key, until]) => [key, down(until)]),
          ),
        };
        const first = planned(world);
        const listed = [...first.order, ...first.skipped.map(({ target }) => target)];
        expect(listed).toHaveLength(new Set(listed).size);
        expect(new Set(listed)).toEqual(new Set(lists.flat()));
        expect(planned(world)).toEqual(first);
        if (first.leastBad !== undefined) expect(first.order).toHaveLength(1);
      },
    ),
  );
});
