import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TargetRegistry } from '../../src/engine/core/target-registry.ts';
import type { Outcome, Permit } from '../../src/health/circuit.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

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
  const runtime = { ...fakeRuntime(), now: () => clock.now, random: () => 0.5 };
  const registry = new TargetRegistry(runtime);
  const { circuit, availability } = registry.target(target);
  const ofProvider = registry.provider(provider).key(undefined);
  const call = (outcome: Outcome) => circuit.enter(policy).settle(outcome);
  const open = () => {
    for (let failure = 0; failure < 3; failure++) call('failure');
  };
  return { clock, registry, circuit, availability, ofProvider, call, open };
}

describe('TargetRegistry', () => {
  test('starts with every target available', () => {
    const { registry, circuit, availability } = setUp();
    expect(registry.unavailability({ id: target, provider })).toBeUndefined();
    expect(circuit.circuit.state).toBe('closed');
    expect(availability.untils).toEqual({});
  });

  test('keeps circuit and availability independent', () => {
    const { circuit, availability, open } = setUp();
    availability.mark('limited', 1_002_000);
    expect(circuit.circuit.state).toBe('closed');
    open();
    expect(circuit.circuit).toMatchObject({ state: 'open' });
    expect(availability.untils).toEqual({ limited: 1_002_000 });
    availability.mark('exhausted', 1_600_000);
    expect(circuit.circuit).toMatchObject({ state: 'open', until: 1_005_000 });
    expect(availability.untils).toEqual({ limited: 1_002_000, exhausted: 1_600_000 });
  });

  test('reports the reason that lasts longest', () => {
    const { clock, registry, availability, ofProvider, open } = setUp();
    availability.mark('limited', 1_002_000);
    open();
    ofProvider.mark('credential', 1_001_000);
    expect(registry.unavailability({ id: target, provider })).toEqual({
      reason: 'circuit open until 1970-01-01T00:16:45.000Z',
      until: 1_005_000,
    });
    availability.mark('exhausted', 1_060_000);
    expect(registry.unavailability({ id: target, provider })).toEqual({
      reason: 'quota exhausted until 1970-01-01T00:17:40.000Z',
      until: 1_060_000,
    });
    clock.now = 1_060_000;
    expect(registry.unavailability({ id: target, provider })).toBeUndefined();
  });

  test('applies a rejected key to all targets of a provider, and a missing model to one', () => {
    const { registry, availability, ofProvider } = setUp();
    ofProvider.mark('credential', 1_060_000);
    availability.mark('model', 1_060_000);
    expect(registry.unavailability({ id: 'openai/other', provider })?.reason).toMatch(
      /^key rejected until/,
    );
    expect(registry.unavailability({ id: 'google/gemini', provider: 'google' })).toBeUndefined();
    registry.restore({ id: 'openai/other', provider });
    expect(registry.unavailability({ id: 'openai/other', provider })).toBeUndefined();
    expect(registry.unavailability({ id: target, provider })?.reason).toMatch(
      /^model not found until/,
    );
  });

  test('reports a known time rather than a probe in flight', () => {
    const { clock, registry, circuit, availability, open } = setUp();
    open();
    clock.now = 1_005_000;
    circuit.enter(policy);
    expect(registry.unavailability({ id: target, provider })).toEqual({
      reason: 'circuit half-open, probe in flight',
      until: undefined,
    });
    availability.mark('limited', 1_006_000);
    expect(registry.unavailability({ id: target, provider })?.until).toBe(1_006_000);
  });
});

describe('mark', () => {
  test('keeps the later of two times', () => {
    const { availability } = setUp();
    availability.mark('limited', 1_060_000);
    availability.mark('limited', 1_002_000);
    expect(availability.untils.limited).toBe(1_060_000);
    availability.mark('limited', 1_090_000);
    expect(availability.untils.limited).toBe(1_090_000);
  });

  test('caps a time at one day', () => {
    const { clock, registry, availability } = setUp();
    for (const until of [1e20, Number.POSITIVE_INFINITY]) {
      availability.mark('limited', until);
      expect(registry.unavailability({ id: target, provider })?.until).toBe(clock.now + 86_400_000);
    }
  });
});

describe('restore', () => {
  test('removes all reasons except a rate limit', () => {
    const { registry, availability, ofProvider } = setUp();
    availability.mark('limited', 1_002_000);
    availability.mark('exhausted', 1_600_000);
    availability.mark('model', 1_600_000);
    ofProvider.mark('credential', 1_600_000);
    registry.restore({ id: target, provider });
    expect(registry.unavailability({ id: target, provider })?.until).toBe(1_002_000);
  });

  test('does not affect the circuit', () => {
    const { registry, circuit, open } = setUp();
    open();
    registry.restore({ id: target, provider });
    expect(circuit.circuit.state).toBe('open');
  });
});

describe('a permit', () => {
  test('returns a change only when the state of the circuit changes', () => {
    const { clock, circuit, call } = setUp();
    expect(call('failure')).toBeUndefined();
    expect(call('failure')).toBeUndefined();
    expect(call('failure')).toEqual({ to: 'open', until: 1_005_000 });
    clock.now = 1_005_000;
    const first = circuit.enter(policy);
    expect(first.change).toStrictEqual({ to: 'half-open' });
    expect(first.settle('success')).toBeUndefined();
    const second = circuit.enter(policy);
    expect(second.change).toBeUndefined();
    expect(second.settle('success')).toEqual({ to: 'closed' });
  });

  test('is settled once and ignores later outcomes', () => {
    const { circuit } = setUp();
    const permit = circuit.enter(policy);
    permit.settle('success');
    for (let more = 0; more < 5; more++) expect(permit.settle('failure')).toBeUndefined();
    expect(circuit.circuit).toMatchObject({ state: 'closed', recent: [false] });
  });

  test('of an aborted probe frees the slot for the next one', () => {
    const { clock, registry, circuit, open } = setUp();
    open();
    clock.now = 1_005_000;
    const probe = circuit.enter(policy);
    expect(registry.unavailability({ id: target, provider })).toBeDefined();
    expect(probe.settle('neither')).toBeUndefined();
    expect(registry.unavailability({ id: target, provider })).toBeUndefined();
    expect(circuit.circuit).toMatchObject({ state: 'half-open', successes: 0 });
  });

  test('from before the circuit opened does not free the slot of the probe', () => {
    for (const outcome of ['success', 'failure', 'neither'] as const) {
      const { clock, registry, circuit, open } = setUp();
      const early = circuit.enter(policy);
      open();
      clock.now = 1_005_000;
      circuit.enter(policy);
      const before = circuit.circuit;
      expect(early.settle(outcome)).toBeUndefined();
      expect(circuit.circuit).toEqual(before);
      expect(registry.unavailability({ id: target, provider })).toBeDefined();
    }
  });

  test('of a forced call takes no slot, and its success counts like a probe’s', () => {
    const { registry, circuit, open } = setUp();
    open();
    const forced = circuit.enter(policy);
    expect(forced.change).toBeUndefined();
    expect(circuit.circuit.state).toBe('open');
    expect(forced.settle('success')).toEqual({ to: 'half-open' });
    expect(registry.unavailability({ id: target, provider })).toBeUndefined();
    expect(circuit.enter(policy).settle('success')).toEqual({ to: 'closed' });
  });

  test('of a forced call changes nothing when the call fails or is aborted', () => {
    const { circuit, open } = setUp();
    open();
    const before = circuit.circuit;
    for (const outcome of ['failure', 'neither'] as const) {
      expect(circuit.enter(policy).settle(outcome)).toBeUndefined();
      expect(circuit.circuit).toEqual(before);
    }
  });
});

test('a circuit keeps its rules for any sequence of events', () => {
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
      const { clock, registry, circuit } = setUp();
      const running: { readonly permit: Permit; readonly isProbe: boolean }[] = [];
      let probesPassed = 0;
      for (const each of steps) {
        const before = circuit.circuit;
        if (each.do === 'wait') clock.now += each.ms;
        if (each.do === 'enter') {
          const unavailable = registry.unavailability({ id: target, provider });
          if (before.state === 'open')
            expect(unavailable === undefined).toBe(clock.now >= before.until);
          if (unavailable !== undefined) continue;
          const permit = circuit.enter(policy);
          const isProbe = before.state !== 'closed';
          expect(circuit.circuit.state).toBe(isProbe ? 'half-open' : 'closed');
          if (before.state === 'open') probesPassed = 0;
          if (isProbe) expect(running.some((other) => other.isProbe)).toBe(false);
          running.push({ permit, isProbe });
        }
        if (each.do === 'settle' && running.length > 0) {
          const [ended] = running.splice(each.which % running.length, 1);
          if (ended === undefined) continue;
          ended.permit.settle(each.outcome);
          const now = circuit.circuit;
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
