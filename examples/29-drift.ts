// Drift: a target that gets worse is found by its next evaluation, comes last, and is restored after two clean ones.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRouter } from 'signalbox';
import { anthropic } from 'signalbox/anthropic';
import { createEvals, defineSuite, numeric } from 'signalbox/evals';
import { openai } from 'signalbox/openai';
import { close, settingsOf, simulators } from './providers.ts';

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
  cases: Array.from({ length: 40 }, (_, n) => ({ prompt: `${n} + 7 = ?`, expected: n + 7 })),
});

/** The simulated vendors add up, but for sums below a limit. */
function answerFrom(vendor: 'openai' | 'anthropic', limit: number): void {
  simulators[vendor].answer(({ body }) => {
    const n = Number(/(\d+) \+ 7/.exec(JSON.stringify(body))?.[1]);
    return n < limit ? 'I do not know.' : `It is ${n + 7}.`;
  });
}

const folder = await mkdtemp(join(tmpdir(), 'signalbox-drift-'));
const evals = createEvals(router, {
  suites: [sums],
  results: join(folder, 'results'),
  baseline: join(folder, 'baseline.json'),
  onDrift: 'demote',
  // `await evals.start()` would run them on Mondays at three.
  schedule: '0 3 * * 1',
  timeZone: 'Europe/Berlin',
});

router.on('drift-detected', (event) => {
  if (event.source !== 'suite') return;
  const { target, effect, cases, action } = event;
  console.log(`${target} lost ${Math.round(effect * 100)} points, and is ${action}`);
  console.log(`  such as case ${cases[0]?.id}: ${cases[0]?.before} -> ${cases[0]?.after}`);
});
router.on('drift-cleared', ({ target, action }) => console.log(`${target} is ${action}`));

async function firstTarget(): Promise<string | undefined> {
  return (await router.explain('fast', 'hello')).candidates[0]?.target;
}

answerFrom('openai', 2);
answerFrom('anthropic', 0);
for (let run = 0; run < 3; run += 1) {
  const { reports } = await evals.run();
  evals.updateBaseline(reports.map(({ result }) => result));
}
console.log(`first: ${await firstTarget()}`);

// The vendor changes its model, and changes it back.
answerFrom('openai', 22);
await evals.run();
console.log(`first: ${await firstTarget()}`);
answerFrom('openai', 2);
await evals.run();
await evals.run();
console.log(`first: ${await firstTarget()}`);

const [compared] = await evals.compare({
  current: 'anthropic/claude-haiku-4-5',
  candidate: 'openai/gpt-5.4-mini',
  margin: 0.2,
});
console.log(`can ${compared?.candidate.target} replace the other one? ${compared?.answer}`);
console.log(`${compared?.cases} cases, about ${compared?.casesNeeded} are needed`);

await router.close();
await close();
await rm(folder, { recursive: true });
