/** Runs all benchmarks of the cost of a call, each in a separate process: `npm run bench`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

type Section = {
  readonly title: string;
  readonly file: string;
  readonly args?: readonly string[];
  readonly nodeArgs?: readonly string[];
};

const largeSemiSpace = ['--expose-gc', '--max-semi-space-size=256'];
const sections: readonly Section[] = [
  ...['1', '16', '256'].map((concurrency) => ({
    title: `CPU time at concurrency ${concurrency}, and the ratio to the bare SDK`,
    file: 'calls.ts',
    args: [`concurrency=${concurrency}`],
  })),
  { title: 'CPU time after an idle period', file: 'quiet.ts', nodeArgs: ['--expose-gc'] },
  { title: 'router overhead', file: 'share.ts' },
  { title: 'a budget', file: 'budgets.ts' },
  { title: 'what tracing adds', file: 'otel.ts' },
  { title: 'bytes and promises', file: 'allocations.ts', nodeArgs: largeSemiSpace },
  { title: 'imports', file: 'imports.ts' },
  { title: '5,000 streams of 50 chunks in flight', file: 'streams.ts', nodeArgs: ['--expose-gc'] },
  { title: '200,000 calls', file: 'soak.ts', nodeArgs: ['--expose-gc'] },
];

console.log(`Node ${process.version}`);
for (const { title, file, args = [], nodeArgs = [] } of sections) {
  console.log(`\n${title}`);
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, ['--no-warnings', ...nodeArgs, path, ...args], {
    stdio: 'inherit',
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) process.exitCode = 1;
}
