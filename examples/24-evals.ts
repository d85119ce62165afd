// Evals: every target is asked the same cases, and compared with its own baseline.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRouter } from 'signalbox';
import { anthropic } from 'signalbox/anthropic';
import { createEvals, defineSuite, numeric } from 'signalbox/evals';
import { openai } from 'signalbox/openai';
import { close, isReal, settingsOf, simulators } from './providers.ts';

const router = createRouter({
  providers: {
    openai: openai(settingsOf('openai')),
    anthropic: anthropic(settingsOf('anthropic')),
  },
  tiers: { fast: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'] },
});

const sums = defineSuite({
  name: 'sums',
  tier: 'fast',
  scorers: [numeric],
  cases: Array.from({ length: 50 }, (_, n) => ({ prompt: `${n} + 7 = ?`, expected: n + 7 })),
});

/** The simulated vendors add up, but for sums below a limit. */
function answerFrom(vendor: 'openai' | 'anthropic', limit: number): void {
  simulators[vendor].answer(({ body }) => {
    const n = Number(/(\d+) \+ 7/.exec(JSON.stringify(body))?.[1]);
    return n < limit ? 'I do not know.' : `It is ${n + 7}.`;
  });
}

const folder = await mkdtemp(join(tmpdir(), 'signalbox-evals-'));
const evals = createEvals(router, {
  suites: [sums],
  results: join(folder, 'results'),
  baseline: join(folder, 'baseline.json'),
});

const [estimate] = await evals.estimate();
console.log(`a run takes ${estimate?.targets.reduce((sum, { calls }) => sum + calls, 0)} calls`);

answerFrom('openai', 2);
answerFrom('anthropic', 0);
for (let run = 0; run < 3; run += 1) {
  const { reports } = await evals.run({ maxUsd: 1 });
  evals.updateBaseline(reports.map(({ result }) => result));
}

// The vendor changes its model.
answerFrom('openai', 25);
const { reports, usd } = await evals.run();
for (const { result, targets } of reports) {
  for (const { target, score } of result.targets) {
    const { state, worse } = targets.find((each) => each.target === target) ?? {};
    console.log(`${target}: ${score?.mean} ${state}, ${worse?.length} cases are worse`);
  }
}
console.log(`this run cost $${usd.toFixed(4)}${isReal.openai ? '' : ' (simulated)'}`);

await router.close();
await close();
await rm(folder, { recursive: true });
