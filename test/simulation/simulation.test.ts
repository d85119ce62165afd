import { describe, expect, it } from 'vitest';
import { sampled } from '../support/sampled.ts';
import { violationsIn } from './invariants.ts';
import { runWorld, simulate } from './simulate.ts';

/** `npm run simulate` runs more. */
const seeds = sampled(1_000, 120);
const seedsOfFocus = sampled(150, 40);

describe('the simulation', () => {
  it('finds no violations, with all kinds of trouble and all kinds of outcomes', async () => {
    const troubles = new Set<string>();
    const ends = new Set<string>();
    for (let seed = 1; seed <= seeds; seed++) {
      const run = await runWorld(seed);
      expect(violationsIn(run), `npm run simulate -- --seed ${seed}`).toEqual([]);
      for (const { trouble } of run.ledger) troubles.add(trouble ?? 'none');
      for (const event of run.events) {
        if (event.type === 'call-end') ends.add(event.error?.code ?? event.status);
        else ends.add(event.type);
      }
    }
    expect(troubles.size).toBeGreaterThanOrEqual(15);
    for (const end of [
      'ok',
      'aborted',
      'hedge',
      'circuit-close',
      'timeout',
      'all_targets_failed',
    ]) {
      expect([...ends]).toContain(end);
    }
  }, 300_000);

  it('ends a fork whose target was dropped while another fork opened its circuit', async () => {
    // It had no end before, and filled the memory.
    expect(await simulate(28_264)).toEqual([]);
  });

  it('lets a request go on for a call that shares it by singleFlight inside of plugins, without a cache', async () => {
    // Its events come after the end of the call that started it and left, which was taken for a fault.
    expect(await simulate(5_176)).toEqual([]);
  });

  it('sends no call where it must not go, and explains each by its rule', async () => {
    for (let seed = 1; seed <= seedsOfFocus; seed++) {
      const violations = await simulate(seed, 'policies');
      expect(violations, `npm run simulate -- --policies --seed ${seed}`).toEqual([]);
    }
  }, 300_000);

  it('lets no attempt escape a budget, and counts each in its window', async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= seedsOfFocus; seed++) {
      const run = await runWorld(seed, 'budgets');
      expect(violationsIn(run), `npm run simulate -- --budgets --seed ${seed}`).toEqual([]);
      for (const event of run.events) {
        if (event.type === 'budget-exceeded') seen.add(event.action);
        if (event.type === 'budget-warning') seen.add(event.type);
      }
    }
    const kinds = ['budget-warning', 'cut', 'limited', 'passed-over', 'rejected', 'warned'];
    expect([...seen].sort()).toEqual(kinds);
  }, 300_000);

  it('redacts, caches and guards, whatever happens to a call', async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= seedsOfFocus; seed++) {
      const run = await runWorld(seed, 'plugins');
      expect(violationsIn(run), `npm run simulate -- --plugins --seed ${seed}`).toEqual([]);
      for (const { completion } of run.outcomes) {
        if (completion?.cached === true)
          seen.add(completion.shared === true ? 'a shared answer' : 'an answer from the cache');
        if (completion?.content.some((part) => part.type === 'tool-call' && part.denied))
          seen.add('a denied tool call');
        if (completion?.finishReason === 'length') seen.add('an answer that was cut');
      }
      if (run.ledger.some(({ sent }) => sent.includes('<EMAIL_2>'))) seen.add('placeholders');
    }
    const kinds = ['a denied tool call', 'a shared answer', 'an answer from the cache'];
    expect([...seen].sort()).toEqual([...kinds, 'an answer that was cut', 'placeholders']);
  }, 300_000);

  it('produces the same run for the same seed', async () => {
    const [first, second] = [await runWorld(7), await runWorld(7)];
    expect(second.events).toEqual(first.events);
    expect(second.ledger).toEqual(first.ledger);
  });
});
