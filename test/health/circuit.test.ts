import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Circuit,
  circuitAllows,
  closedCircuit,
  enterCircuit,
  type Passage,
  recordOutcome,
  releaseCircuit,
} from '../../src/health/circuit.ts';

const policy = {
  consecutiveFailures: 3,
  failureRate: 0.5,
  window: 20,
  minimumCalls: 5,
  openMs: 5_000,
  maxOpenMs: 30_000,
  successesToClose: 2,
};

type Outcome = 'success' | 'failure';
const regular: Passage = { as: 'regular' };
const forced: Passage = { as: 'forced' };
const probe = (number: number): Passage => ({ as: 'probe', probe: number });

function record(circuit: Circuit, passage: Passage, outcome: Outcome, now = 0, random = 0.5) {
  return recordOutcome(circuit, { passage, outcome }, policy, now, random);
}

/** A circuit after these calls. */
function afterCalls(...outcomes: readonly Outcome[]): Circuit {
  return outcomes.reduce((circuit, outcome) => record(circuit, regular, outcome), closedCircuit);
}

const openCircuit = afterCalls('failure', 'failure', 'failure');

describe('a closed circuit', () => {
  test('opens after three consecutive failures', () => {
    expect(afterCalls('failure', 'failure').state).toBe('closed');
    expect(openCircuit).toEqual({ state: 'open', until: 5_000, openings: 1 });
  });

  test('admits every call, none as a probe', () => {
    expect(circuitAllows(closedCircuit, 0)).toEqual({ allowed: true });
    expect(enterCircuit(closedCircuit, 1)).toBe(closedCircuit);
  });

  test('resets the failure streak on success', () => {
    expect(afterCalls('failure', 'failure', 'success', 'failure')).toMatchObject({
      state: 'closed',
      consecutiveFailures: 1,
    });
  });

  test('opens when half of the last calls failed, from five calls on', () => {
    expect(afterCalls('failure', 'success', 'failure').state).toBe('closed');
    expect(afterCalls('failure', 'success', 'failure', 'failure').state).toBe('closed');
    expect(afterCalls('failure', 'success', 'failure', 'success', 'failure').state).toBe('open');
  });

  test('considers only the calls in its window', () => {
    const bad = afterCalls('failure', 'failure', 'success', 'success', 'success', 'success');
    let circuit = bad;
    for (let call = 0; call < 30; call++) circuit = record(circuit, regular, 'success');
    expect(circuit).toMatchObject({ recent: Array(20).fill(false) });
    expect(record(circuit, regular, 'success')).toBe(circuit);
  });

  test('never opens on a success', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom<Outcome>('success', 'failure')), (outcomes) => {
        let circuit: Circuit = closedCircuit;
        for (const outcome of outcomes) {
          const before = circuit;
          circuit = record(circuit, regular, outcome);
          if (before.state === 'closed' && outcome === 'success') {
            expect(circuit.state).toBe('closed');
          }
        }
      }),
    );
  });

  test('opens exactly when the streak or the failure rate requires it', () => {
    const outcome = fc.constantFrom<Outcome>('success', 'failure');
    fc.assert(
      fc.property(fc.array(outcome, { minLength: 1, maxLength: 40 }), (outcomes) => {
        let circuit: Circuit = closedCircuit;
        for (const [index, each] of outcomes.entries()) {
          circuit = record(circuit, regular, each);
          const seen = outcomes.slice(0, index + 1);
          const recent = seen.slice(-20);
          const isStreak = seen.length >= 3 && seen.slice(-3).every((one) => one === 'failure');
          const failures = recent.filter((one) => one === 'failure').length;
          const isRate = recent.length >= 5 && failures / recent.length >= 0.5;
          const shouldOpen = each === 'failure' && (isStreak || isRate);
          expect(circuit.state).toBe(shouldOpen ? 'open' : 'closed');
          if (shouldOpen) return;
        }
      }),
    );
  });
});

describe('an open circuit', () => {
  test('admits nothing until its time, then one probe', () => {
    expect(circuitAllows(openCircuit, 4_999)).toEqual({ allowed: false, until: 5_000 });
    expect(circuitAllows(openCircuit, 5_000)).toEqual({ allowed: true });
    const probing = enterCircuit(openCircuit, 1);
    expect(circuitAllows(probing, 5_000)).toEqual({ allowed: false, until: undefined });
  });

  test('ignores late outcomes', () => {
    for (const outcome of ['success', 'failure'] as const) {
      expect(record(openCircuit, regular, outcome)).toBe(openCircuit);
      expect(record(openCircuit, probe(7), outcome)).toBe(openCircuit);
    }
    for (const passage of [regular, forced, probe(7)]) {
      expect(releaseCircuit(openCircuit, passage)).toBe(openCircuit);
    }
  });

  test('counts a forced success like a probe and ignores a forced failure', () => {
    expect(record(openCircuit, forced, 'failure')).toBe(openCircuit);
    expect(record(openCircuit, forced, 'success')).toMatchObject({
      state: 'half-open',
      successes: 1,
      probe: undefined,
    });
  });

  test('stays open longer each time a probe fails, from 5 s up to 30 s', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), {
          minLength: 1,
          maxLength: 60,
        }),
        (chances) => {
          let circuit = openCircuit;
          let longest = 5_000;
          for (const chance of chances) {
            const now = circuit.state === 'open' ? circuit.until : 0;
            circuit = record(enterCircuit(circuit, 1), probe(1), 'failure', now, chance);
            if (circuit.state !== 'open') throw new Error('a failed probe must open');
            const openMs = circuit.until - now;
            longest = Math.min(30_000, longest * 2);
            // Tolerates rounding of the sum.
            expect(openMs).toBeLessThanOrEqual(longest + 1e-3);
            expect(openMs).toBeGreaterThanOrEqual(longest * 0.8 - 1e-3);
            expect(openMs).toBeGreaterThanOrEqual(5_000);
          }
        },
      ),
    );
  });

  test('opens for up to a fifth less at random from the second opening on', () => {
    const again = (random: number) =>
      record(enterCircuit(openCircuit, 1), probe(1), 'failure', 5_000, random);
    expect(again(0)).toMatchObject({ until: 15_000, openings: 2 });
    expect(again(0.5)).toMatchObject({ until: 14_000 });
  });

  test('restarts at 5 s after it was closed', () => {
    let circuit = enterCircuit(openCircuit, 1);
    circuit = record(circuit, probe(1), 'failure', 5_000);
    circuit = record(enterCircuit(circuit, 2), probe(2), 'success');
    circuit = record(enterCircuit(circuit, 3), probe(3), 'success');
    expect(circuit).toBe(closedCircuit);
    for (let call = 0; call < 3; call++) circuit = record(circuit, regular, 'failure', 100);
    expect(circuit).toEqual({ state: 'open', until: 5_100, openings: 1 });
  });
});

describe('a half-open circuit', () => {
  const probing = enterCircuit(openCircuit, 1);

  test('closes after two successful probes', () => {
    const once = record(probing, probe(1), 'success');
    expect(once).toMatchObject({ state: 'half-open', successes: 1, probe: undefined });
    expect(record(enterCircuit(once, 2), probe(2), 'success')).toBe(closedCircuit);
  });

  test('opens again when the second probe fails', () => {
    const once = record(probing, probe(1), 'success');
    expect(record(enterCircuit(once, 2), probe(2), 'failure')).toMatchObject({
      state: 'open',
      openings: 2,
    });
  });

  test('admits another probe after an aborted one', () => {
    const released = releaseCircuit(probing, probe(1));
    expect(circuitAllows(released, 0)).toEqual({ allowed: true });
    expect(released).toMatchObject({ state: 'half-open', successes: 0 });
    expect(releaseCircuit(released, forced)).toBe(released);
  });

  test('ignores calls from before and outdated probes', () => {
    for (const passage of [regular, probe(99)]) {
      expect(record(probing, passage, 'success')).toBe(probing);
      expect(record(probing, passage, 'failure')).toBe(probing);
      expect(releaseCircuit(probing, passage)).toBe(probing);
    }
  });

  test('counts a forced success while the probe stays in flight', () => {
    const counted = record(probing, forced, 'success');
    expect(counted).toMatchObject({ successes: 1, probe: 1 });
    expect(circuitAllows(counted, 0)).toEqual({ allowed: false, until: undefined });
  });
});
