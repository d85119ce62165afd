import { describe, expect, it } from 'vitest';
import { defaults } from '../../src/config/defaults.ts';
import { TargetRegistry } from '../../src/engine/core/target-registry.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { sampled } from '../support/sampled.ts';

const max = defaults.keysPerTarget;

describe('the states of keys by tags', () => {
  const setUp = () => new TargetRegistry(fakeRuntime());
  const known = (registry: TargetRegistry) => [...registry.target('p/m').keysByTags()].length;

  it('are as many for tens of thousands of customers as for 1,000', () => {
    const registry = setUp();
    const count = sampled(100_000, 20_000);
    for (let index = 0; index < count; index++) {
      registry.unavailability({ id: 'p/m', provider: 'p' }, `fingerprint ${index}`);
    }
    expect(known(registry)).toBe(max);
    expect(registry.provider('p').peek('fingerprint 0')).toBeUndefined();
    expect(registry.provider('p').peek(`fingerprint ${count - 1}`)).toBeDefined();
  });

  it('are removed when they were not used for the longest time, and never while in use', () => {
    const registry = setUp();
    const target = registry.target('p/m');
    const inUse = target.key('in use');
    inUse.uses += 1;
    const old = target.key('old');
    const refreshed = target.key('refreshed');
    for (let index = 0; index < max - 2; index++) {
      target.key(`other ${index}`);
      target.key('refreshed');
    }
    expect(target.key('in use')).toBe(inUse);
    expect(target.key('refreshed')).toBe(refreshed);
    expect(target.key('old')).not.toBe(old);
    for (let index = 0; index < max; index++) target.key(`more ${index}`);
    expect(target.key('in use')).toBe(inUse);
    inUse.uses -= 1;
    for (let index = 0; index < max; index++) target.key(`many ${index}`);
    expect(target.key('in use')).not.toBe(inUse);
  });
});
