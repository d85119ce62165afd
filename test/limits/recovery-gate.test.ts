import { describe, expect, test } from 'vitest';
import { createRecoveryGate } from '../../src/limits/gate.ts';

const load = { tokens: 1 };
const gone = { tokens: undefined };
/** An attempt that was not rejected within this time is being answered. */
const waitMs = 3_000;

describe('createRecoveryGate', () => {
  test('closes until the end of a limit with Retry-After, then admits all', () => {
    const gate = createRecoveryGate(() => 3_000);
    gate
      .enter(load, 0)
      .leave({ ...gone, outcome: 'limited', hasRetryAfter: true, isTargetLimited: true }, 10);
    expect(gate.opensAt(load, 10)).toBe(3_000);
    gate.enter(load, 3_000);
    expect(gate.opensAt(load, 3_000)).toBe(3_000);
  });

  test('is named for messages, and delays nothing by itself', () => {
    const gate = createRecoveryGate(() => undefined);
    expect(gate.name).toBe("the vendor's rate limit");
    expect(gate.intervalMs(load)).toBe(0);
    expect(gate.opensAt(load, 5)).toBe(5);
    expect(gate.isProbing()).toBe(false);
  });

  describe('after a limit without Retry-After', () => {
    const limited = () => {
      const gate = createRecoveryGate(() => undefined);
      gate
        .enter(load, 0)
        .leave({ ...gone, outcome: 'limited', hasRetryAfter: false, isTargetLimited: true }, 10);
      return gate;
    };

    test('admits one probe, and another when the probe ends without an answer', () => {
      const gate = limited();
      expect(gate.opensAt(load, 20)).toBe(20);
      const probe = gate.enter(load, 20);
      expect(gate.opensAt(load, 20)).toBe(20 + waitMs);
      probe.leave({ ...gone, outcome: 'other' }, 30);
      expect(gate.opensAt(load, 30)).toBe(30);
      expect(gate.isProbing()).toBe(true);
    });

    test('admits another probe when the first was not rejected for a while', () => {
      const gate = limited();
      const first = gate.enter(load, 20);
      gate.enter(load, 20 + waitMs);
      expect(gate.opensAt(load, 20 + waitMs)).toBe(20 + 2 * waitMs);
      first.leave({ ...gone, outcome: 'other' }, 4_000);
      expect(gate.opensAt(load, 4_000)).toBe(20 + 2 * waitMs);
      expect(gate.opensAt(load, 9_000)).toBe(9_000);
    });

    test('counts no attempt from before the limit as a probe', () => {
      const gate = createRecoveryGate(() => undefined);
      const early = gate.enter(load, 0);
      gate
        .enter(load, 0)
        .leave({ ...gone, outcome: 'limited', hasRetryAfter: false, isTargetLimited: true }, 10);
      expect(gate.opensAt(load, 15)).toBe(15);
      gate.enter(load, 20);
      early.leave({ ...gone, outcome: 'other' }, 30);
      expect(gate.opensAt(load, 30)).toBe(20 + waitMs);
    });

    test('is over when an attempt sent at the time of the limit is answered', () => {
      const gate = limited();
      gate.enter(load, 10).answered();
      expect(gate.isProbing()).toBe(false);
    });

    test.each([
      [
        'the first token',
        (probe: ReturnType<ReturnType<typeof limited>['enter']>) => probe.answered(),
      ],
      [
        'a whole answer',
        (probe: ReturnType<ReturnType<typeof limited>['enter']>) =>
          probe.leave({ ...gone, outcome: 'ok' }, 40),
      ],
    ])('admits all after %s', (_, answer) => {
      const gate = limited();
      answer(gate.enter(load, 20));
      gate.enter(load, 50);
      expect(gate.opensAt(load, 50)).toBe(50);
    });

    test('stays closed when an attempt sent before the limit is answered', () => {
      const gate = createRecoveryGate(() => undefined);
      const early = gate.enter(load, 0);
      gate
        .enter(load, 0)
        .leave({ ...gone, outcome: 'limited', hasRetryAfter: false, isTargetLimited: true }, 10);
      early.leave({ ...gone, outcome: 'ok' }, 15);
      gate.enter(load, 20);
      expect(gate.opensAt(load, 20)).toBe(20 + waitMs);
    });

    test('stays open after a 429 that applies to one call only', () => {
      const gate = createRecoveryGate(() => undefined);
      const single = { ...gone, outcome: 'limited', hasRetryAfter: false } as const;
      gate.enter(load, 0).leave({ ...single, isTargetLimited: false }, 10);
      gate.enter(load, 20);
      expect(gate.opensAt(load, 20)).toBe(20);
    });
  });
});
