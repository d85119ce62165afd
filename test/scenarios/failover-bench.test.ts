import { describe, expect, it } from 'vitest';
import { runScenario, scenarios } from '../support/failover-bench.ts';

describe.each(['complete', 'stream'] as const)('Failover Bench, by %s', (mode) => {
  it.each(scenarios.map((scenario) => [scenario.id, scenario.name, scenario] as const))(
    'passes %s: %s',
    async (_id, _name, scenario) => {
      const { problems } = await runScenario(scenario, mode, 'virtual');
      expect(problems).toEqual([]);
    },
  );
});
