/**
 * What the drift test of evals finds, and how often it is wrong: simulated suites with fixed seeds, next to what
 * `detectionProbability` says. Arguments: the number of simulated targets for each row (400), and of years (400).
 */
import { detectionProbability } from '../src/apps/evals/statistics/power.ts';
import { type SimulatedSuite, weekOfDetection } from '../test/evals/statistics/simulate-suite.ts';
import { seeded } from '../test/support/personal-data.ts';

const [targets = 400, years = 400] = process.argv.slice(2).map(Number);
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

console.log(
  '| Suite | Drop | 1 run (said) | 2 runs (said) | 4 runs (said) |\n|---|---|---|---|---|',
);
for (const cases of [50, 100, 200])
  for (const judgeErrors of [0, 0.1])
    for (const drop of [0.05, 0.1, 0.15]) {
      const suite: SimulatedSuite = { cases, noise: 0.02, judgeErrors, drop };
      const found = Array.from({ length: targets }, (_, seed) =>
        weekOfDetection(suite, 4, seeded(seed + 1)),
      );
      const cells = [1, 2, 4].map((runs) => {
        const share = found.filter((week) => week !== undefined && week <= runs).length / targets;
        const said = detectionProbability({ ...suite, accuracy: 0.9 }, drop, runs);
        return `${percent(share)} (${percent(said)})`;
      });
      console.log(
        `| ${cases}, judge wrong ${percent(judgeErrors)} | ${drop} | ${cells.join(' | ')} |`,
      );
    }

console.log('\n| Suite without a drop | False alarms in a year of weekly runs |\n|---|---|');
for (const cases of [50, 200])
  for (const judgeErrors of [0, 0.1]) {
    const alarms = Array.from({ length: years }, (_, seed) =>
      weekOfDetection({ cases, noise: 0.02, judgeErrors }, 52, seeded(seed + 1)),
    ).filter((week) => week !== undefined).length;
    console.log(`| ${cases}, judge wrong ${percent(judgeErrors)} | ${alarms} of ${years} |`);
  }
