import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Strategy, StrategyContext, TargetKnowledge } from '../../src/protocol/strategy.ts';
import { orderBy } from '../../src/routing/strategy.ts';

const unknown: TargetKnowledge = { calls: 0, inFlight: 0, queued: 0, isAvailable: true };

function contextWith(knowledge: Readonly<Record<string, Partial<TargetKnowledge>>> = {}) {
  const context: StrategyContext = {
    call: {
      kind: 'chat',
      tier: 't',
      tags: {},
      mode: 'complete',
      inputTokens: 10,
      remainingMs: 1_000,
    },
    knowledge: ({ id }) => ({ ...unknown, ...knowledge[id] }),
    turn: 0,
    now: () => 0,
    random: () => 0.5,
    score: () => undefined,
  };
  return context;
}

const candidates = ['a/1', 'b/1', 'c/1', 'd/1', 'e/1'].map((id) => ({
  id,
  provider: id.slice(0, 1),
  model: '1',
  weight: 1,
}));

function ordered(strategy: Strategy, context = contextWith()): readonly string[] {
  return orderBy({ name: 'mine', strategy }, candidates, () => context).map(({ id }) => id);
}

describe('orderBy', () => {
  it('appends omitted candidates and drops duplicates and unknown values', () => {
    const foreign = { id: 'x/1', provider: 'x', model: '1', weight: 1 };
    const strategy: Strategy = {
      order: (list) => [list[3], list[3], foreign, list[1]] as unknown as typeof list,
    };
    expect(ordered(strategy)).toEqual(['d/1', 'b/1', 'a/1', 'c/1', 'e/1']);
  });

  it('lets a strategy sort its list in place', () => {
    const strategy: Strategy = {
      order: (list) => (list as unknown as { readonly id: string }[]).reverse() as typeof list & [],
    };
    expect(ordered(strategy)).toEqual(['e/1', 'd/1', 'c/1', 'b/1', 'a/1']);
    expect(candidates.map(({ id }) => id)).toEqual(['a/1', 'b/1', 'c/1', 'd/1', 'e/1']);
  });

  it('throws a config error with the name of a strategy that throws or returns no list', () => {
    const cause = new Error('oops');
    const throws: Strategy = {
      order() {
        throw cause;
      },
    };
    const named = { code: 'config', message: 'strategy "mine" threw; see cause', cause };
    expect(() => ordered(throws)).toThrow(expect.objectContaining(named));
    const returnsNothing = { order: () => undefined } as unknown as Strategy;
    expect(() => ordered(returnsNothing)).toThrow('strategy "mine" must return a list');
  });

  it('returns each candidate once, whatever the strategy returns', () => {
    const picks = fc.array(fc.option(fc.nat(4), { nil: undefined }), { maxLength: 12 });
    fc.assert(
      fc.property(picks, (indexes) => {
        const strategy: Strategy = {
          order: (list) => indexes.map((at) => list[at ?? 99]) as unknown as typeof list,
        };
        expect([...ordered(strategy)].sort()).toEqual(candidates.map(({ id }) => id));
      }),
    );
  });
});
