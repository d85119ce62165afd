import { describe, expect, test } from 'vitest';
import { createRecoveryGate } from '../../src/limits/recovery-gate.ts';

const load = { tokens: 1 };
const gone = { tokens: undefined };
/** An attempt that was not refused by then is being answered. */
const waitMs = 3_000;

describe('a target that has refused', () => {
  test('is left alone until the time it said, and is then open to all', () => {
    const gate = createRecoveryGate(() => 3_000);
    gate
      .enter(load, 0)
      .leave({ ...gone, outcome: 'limited', hasRetryAfter: true, isTargetLimited: true }, 10);
    expect(gate.opensAt(load, 10)).toBe(3_000);
    gate.enter(load, 3_000);
    expect(gate.opensAt(load, 3_000)).toBe(3_000);
  });

  describe('without a time', () => {
    const refused = () => {
      const gate = createRecoveryGate(() => undefined);
      gate
        .enter(load, 0)
        .leave({ ...gone, outcome: 'limited', hasRetryAfter: false, isTargetLimited: true }, 10);
      return gate;
    };

    test('lets one go first to see, and the next when that one is back without an answer', () => {
      const gate = refused();
      expect(gate.opensAt(load, 20)).toBe(20);
      const scout = gate.enter(load, 20);
      expect(gate.opensAt(load, 20)).toBe(20 + waitMs);
      scout.leave({ ...gone, outcome: 'other' }, 30);
      expect(gate.opensAt(load, 30)).toBe(30);
    });

    test.each([
      [
        'the first token',
        (scout: ReturnType<ReturnType<typeof refused>['enter']>) => scout.answered(),
      ],
      [
        'a whole answer',
        (scout: ReturnType<ReturnType<typeof refused>['enter']>) =>
          scout.leave({ ...gone, outcome: 'ok' }, 40),
      ],
    ])('is open to all with %s', (_, answer) => {
      const gate = refused();
      answer(gate.enter(load, 20));
      gate.enter(load, 50);
      expect(gate.opensAt(load, 50)).toBe(50);
    });

    test('is not opened by the answer to what was sent before', () => {
      const gate = createRecoveryGate(() => undefined);
      const early = gate.enter(load, 0);
      gate
        .enter(load, 0)
        .leave({ ...gone, outcome: 'limited', hasRetryAfter: false, isTargetLimited: true }, 10);
      early.leave({ ...gone, outcome: 'ok' }, 15);
      gate.enter(load, 20);
      expect(gate.opensAt(load, 20)).toBe(20 + waitMs);
    });

    test('stays open after a refusal that binds its call only', () => {
      const gate = createRecoveryGate(() => undefined);
      const single = { ...gone, outcome: 'limited', hasRetryAfter: false } as const;
      gate.enter(load, 0).leave({ ...single, isTargetLimited: false }, 10);
      gate.enter(load, 20);
      expect(gate.opensAt(load, 20)).toBe(20);
    });
  });
});
