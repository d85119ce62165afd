import { describe, expect, it } from 'vitest';
import { runScenario, scenarios } from '../support/failover-bench.ts';

describe.each([
  ['complete', 'router'],
  ['stream', 'router'],
  ['complete', 'handler'],
  ['stream', 'handler'],
] as const)('Failover Bench, by %s of the %s', (mode, caller) => {
  it.each(scenarios.map((scenario) => [scenario.id, scenario.name, scenario] as const))(
    'passes %s: %s',
    async (_id, _name, scenario) => {
      const { problems } = await runScenario(scenario, mode, 'virtual', caller);
      expect(problems).toEqual([]);
    },
  );
});
