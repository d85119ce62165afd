/** All benchmarks of what a call costs, one after another, each in a process of its own: `npm run bench`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

type Section = {
  readonly title: string;
  readonly file: string;
  readonly given?: readonly string[];
  readonly node?: readonly string[];
};

const roomy = ['--expose-gc', '--max-semi-space-size=256'];
const sections: readonly Section[] = [
  ...['1', '16', '256'].map((concurrency) => ({
    title: `CPU time at concurrency ${concurrency}, and its ratio to the bare SDK's`,
    file: 'calls.ts',
    given: [`concurrency=${concurrency}`],
  })),
  { title: 'CPU time after a quiet time', file: 'quiet.ts', node: ['--expose-gc'] },
  { title: "the router's own share", file: 'share.ts' },
  { title: 'bytes and promises', file: 'allocations.ts', node: roomy },
  { title: 'importing', file: 'imports.ts' },
  { title: '5,000 streams of 50 chunks in flight', file: 'streams.ts', node: ['--expose-gc'] },
  { title: '200,000 calls', file: 'soak.ts', node: ['--expose-gc'] },
];

console.log(`Node ${process.version}`);
for (const { title, file, given = [], node = [] } of sections) {
  console.log(`\n${title}`);
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, ['--no-warnings', ...node, path, ...given], {
    stdio: 'inherit',
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) process.exitCode = 1;
}
