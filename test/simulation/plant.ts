import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mutation } from './mutations.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A copy of the engine and of the simulation with the mistake in it. */
async function plant({ file, search, replace }: Mutation): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'signalbox-simulation-'));
  for (const part of ['src', 'test/simulation', 'test/support/batches.ts', 'package.json']) {
    await cp(join(root, part), join(copy, part), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  const path = join(copy, 'src', file);
  const text = await readFile(path, 'utf8');
  if (text.split(search).length !== 2) throw new Error(`${file} has not one "${search}"`);
  await writeFile(
    path,
    text.replace(search, () => replace),
  );
  return copy;
}

function outputOf(copy: string, seeds: number): Promise<string> {
  const command = ['--no-warnings', 'test/simulation/run.ts', '--seeds', String(seeds)];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: copy }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
}

/** How many seeds it takes to find the mistake, and what gives it away; `undefined` when `most` are too few. */
export async function seedsToFind(
  mutation: Mutation,
  most: number,
): Promise<{ readonly seeds: number; readonly violation: string } | undefined> {
  const copy = await plant(mutation);
  try {
    const output = await outputOf(copy, most);
    const [, seeds] = /^found after (\d+) seeds$/m.exec(output) ?? [];
    if (seeds !== undefined)
      return { seeds: Number(seeds), violation: output.split('\n')[0] ?? '' };
    if (!output.includes('nothing is wrong')) throw new Error(output);
    return undefined;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
