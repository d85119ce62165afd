import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHealth, type Outcome, type Permit } from '../../src/health/health.ts';

const policy = {
  consecutiveFailures: 3,
  failureRate: 0.5,
  window: 20,
  minimumCalls: 5,
  openMs: 5_000,
  maxOpenMs: 30_000,
  successesToClose: 2,
};
const target = 'openai/gpt';
const provider = 'openai';

function setUp() {
  const clock = { now: 1_000_000 };
  const health = createHealth(
    () => clock.now,
    () => 0.5,
  );
  const call = (outcome: Outcome) => health.enter(target, policy).settle(outcome);
  const open = () => {
    for (let failure = 0; failure < 3; failure++) call('failure');
  };
  return { clock, health, call, open };
}

describe('the three facts', () => {
  test('are none at first', () => {
    const { health } = setUp();
    expect(health.check(target, provider)).toBeUndefined();
    expect(health.get(target)).toMatchObject({ circuit: { state: 'closed' }, unavailable: {} });
  });

  test('do not touch each other', () => {
    const { health, open } = setUp();
    health.withhold(target, 'limited', 1_002_000);
    expect(health.get(target).circuit.state).toBe('closed');
    open();
    expect(health.get(target)).toMatchObject({
      circuit: { state: 'open' },
      unavailable: { limited: 1_002_000 },
    });
    health.withhold(target, 'exhausted', 1_600_000);
    expect(health.get(target)).toMatchObject({
      circuit: { state: 'open', until: 1_005_000 },
      unavailable: { limited: 1_002_000, exhausted: 1_600_000 },
    });
  });

  test('each end at their own time, and the last of them is told', () => {
    const { clock, health, open } = setUp();
    health.withhold(target, 'limited', 1_002_000);
    open();
    health.withhold(provider, 'credential', 1_001_000);
    expect(health.check(target, provider)).toEqual({
      reason: 'circuit open until 1970-01-01T00:16:45.000Z',
      until: 1_005_000,
    });
    health.withhold(target, 'exhausted', 1_060_000);
    expect(health.check(target, provider)).toEqual({
      reason: 'quota exhausted until 1970-01-01T00:17:40.000Z',
      until: 1_060_000,
    });
    clock.now = 1_060_000;
    expect(health.check(target, provider)).toBeUndefined();
  });

  test('of a provider hold for all its targets, and of a target for itself alone', () => {
    const { health } = setUp();
    health.withhold(provider, 'credential', 1_060_000);
    health.withhold(target, 'model', 1_060_000);
    expect(health.check('openai/other', provider)?.reason).toMatch(/^key rejected until/);
    expect(health.check('google/gemini', 'google')).toBeUndefined();
    health.restore('openai/other', provider);
    expect(health.check('openai/other', provider)).toBeUndefined();
    expect(health.check(target, provider)?.reason).toMatch(/^model not found until/);
  });

  test('in half-open, a time that is known is told before a probe that has none', () => {
    const { clock, health, open } = setUp();
    open();
    clock.now = 1_005_000;
    health.enter(target, policy);
    expect(health.check(target, provider)).toEqual({
      reason: 'circuit half-open, probe under way',
      until: undefined,
    });
    health.withhold(target, 'limited', 1_006_000);
    expect(health.check(target, provider)?.until).toBe(1_006_000);
  });
});

describe('withhold', () => {
  test('keeps the later of two times', () => {
    const { health } = setUp();
    health.withhold(target, 'limited', 1_060_000);
    health.withhold(target, 'limited', 1_002_000);
    expect(health.get(target).unavailable.limited).toBe(1_060_000);
    health.withhold(target, 'limited', 1_090_000);
    expect(health.get(target).unavailable.limited).toBe(1_090_000);
  });

  test('takes a vendor’s word for a day at most, however odd it is', () => {
    const { clock, health } = setUp();
    for (const until of [1e20, Number.POSITIVE_INFINITY]) {
      health.withhold(target, 'limited', until);
      expect(health.check(target, provider)?.until).toBe(clock.now + 86_400_000);
    }
  });
});

describe('restore', () => {
  test('takes back what a success disproves, but no rate limit', () => {
    const { health } = setUp();
    health.withhold(target, 'limited', 1_002_000);
    health.withhold(target, 'exhausted', 1_600_000);
    health.withhold(target, 'model', 1_600_000);
    health.withhold(provider, 'credential', 1_600_000);
    health.restore(target, provider);
    expect(health.check(target, provider)?.until).toBe(1_002_000);
  });

  test('leaves the circuit to the outcomes', () => {
    const { health, open } = setUp();
    open();
    health.restore(target, provider);
    expect(health.get(target).circuit.state).toBe('open');
  });
});

describe('a permit', () => {
  test('tells when it moves the circuit, and only then', () => {
    const { clock, health, call } = setUp();
    expect(call('failure')).toBeUndefined();
    expect(call('failure')).toBeUndefined();
    expect(call('failure')).toEqual({ to: 'open', until: 1_005_000 });
    clock.now = 1_005_000;
    const first = health.enter(target, policy);
    expect(first.change).toEqual({ to: 'half-open' });
    expect(first.settle('success')).toBeUndefined();
    const second = health.enter(target, policy);
    expect(second.change).toBeUndefined();
    expect(second.settle('success')).toEqual({ to: 'closed' });
  });

  test('is settled once, whatever is said after', () => {
    const { health } = setUp();
    const permit = health.enter(target, policy);
    permit.settle('success');
    for (let more = 0; more < 5; more++) expect(permit.settle('failure')).toBeUndefined();
    expect(health.get(target).circuit).toMatchObject({ state: 'closed', recent: [false] });
  });

  test('of a probe goes back to the next one when its caller has left', () => {
    const { clock, health, open } = setUp();
    open();
    clock.now = 1_005_000;
    const probe = health.enter(target, policy);
    expect(health.check(target, provider)).toBeDefined();
    expect(probe.settle('neither')).toBeUndefined();
    expect(health.check(target, provider)).toBeUndefined();
    expect(health.get(target).circuit).toMatchObject({ state: 'half-open', successes: 0 });
  });

  test('from before the circuit opened does not free the probe’s place, however its call ends', () => {
    for (const outcome of ['success', 'failure', 'neither'] as const) {
      const { clock, health, open } = setUp();
      const early = health.enter(target, policy);
      open();
      clock.now = 1_005_000;
      health.enter(target, policy);
      const before = health.get(target).circuit;
      expect(early.settle(outcome)).toBeUndefined();
      expect(health.get(target).circuit).toEqual(before);
      expect(health.check(target, provider)).toBeDefined();
    }
  });

  test('against the rules takes no place, and its success counts as a probe’s', () => {
    const { health, open } = setUp();
    open();
    const against = health.enter(target, policy);
    expect(against.change).toBeUndefined();
    expect(health.get(target).circuit.state).toBe('open');
    expect(against.settle('success')).toEqual({ to: 'half-open' });
    expect(health.check(target, provider)).toBeUndefined();
    expect(health.enter(target, policy).settle('success')).toEqual({ to: 'closed' });
  });

  test('against the rules changes nothing when its call fails or is left', () => {
    const { health, open } = setUp();
    open();
    const before = health.get(target).circuit;
    for (const outcome of ['failure', 'neither'] as const) {
      expect(health.enter(target, policy).settle(outcome)).toBeUndefined();
      expect(health.get(target).circuit).toEqual(before);
    }
  });
});

test('whatever happens in whatever order, the circuit keeps its rules', () => {
  type Step =
    | { readonly do: 'enter' }
    | { readonly do: 'wait'; readonly ms: number }
    | { readonly do: 'settle'; readonly which: number; readonly outcome: Outcome };
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constant('enter' as const) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.nat(12_000) }),
    fc.record({
      do: fc.constant('settle' as const),
      which: fc.nat(50),
      outcome: fc.constantFrom<Outcome>('success', 'failure', 'failure', 'failure', 'neither'),
    }),
  );
  const reached = new Set<string>();
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
      const { clock, health } = setUp();
      const running: { readonly permit: Permit; readonly isProbe: boolean }[] = [];
      let probesPassed = 0;
      for (const each of steps) {
        const before = health.get(target).circuit;
        if (each.do === 'wait') clock.now += each.ms;
        if (each.do === 'enter') {
          const refusal = health.check(target, provider);
          if (before.state === 'open')
            expect(refusal === undefined).toBe(clock.now >= before.until);
          if (refusal !== undefined) continue;
          const permit = health.enter(target, policy);
          const isProbe = before.state !== 'closed';
          expect(health.get(target).circuit.state).toBe(isProbe ? 'half-open' : 'closed');
          if (before.state === 'open') probesPassed = 0;
          if (isProbe) expect(running.some((other) => other.isProbe)).toBe(false);
          running.push({ permit, isProbe });
        }
        if (each.do === 'settle' && running.length > 0) {
          const [ended] = running.splice(each.which % running.length, 1);
          if (ended === undefined) continue;
          ended.permit.settle(each.outcome);
          const now = health.get(target).circuit;
          if (!ended.isProbe && before.state !== 'closed') expect(now).toEqual(before);
          if (ended.isProbe && before.state === 'half-open') {
            if (each.outcome === 'success') probesPassed += 1;
            const expected = { success: probesPassed < 2 ? 'half-open' : 'closed' };
            const states = { ...expected, failure: 'open', neither: 'half-open' };
            expect(now.state).toBe(states[each.outcome]);
          }
          if (now.state === 'open' && before.state !== 'open') {
            expect(now.until - clock.now).toBeGreaterThanOrEqual(5_000);
            expect(now.until - clock.now).toBeLessThanOrEqual(30_000);
          }
          if (now.state !== before.state) reached.add(`${before.state} to ${now.state}`);
        }
      }
    }),
    { seed: 20_260_101, numRuns: 400 },
  );
  expect(reached).toEqual(new Set(['closed to open', 'half-open to open', 'half-open to closed']));
});
