import { describe, expect, it } from 'vitest';
import { runScenario, scenarios } from '../support/failover-bench.ts';

/** A published minute is a second and a half here; `npm run bench:failover` takes the minutes. */
const scale = 0.025;

describe.each(['complete', 'stream'] as const)(
  'the sixteen faults of Failover Bench, by %s',
  (mode) => {
    it.concurrent.each(
      scenarios.map((scenario) => [scenario.id, scenario.name, scenario] as const),
    )('%s: %s', async (_id, _name, scenario) => {
      const { problems } = await runScenario(scenario, mode, scale);
      expect(problems).toEqual([]);
    });
  },
);
