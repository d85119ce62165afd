import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mutation } from './mutations.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Copies the engine and the simulation, with the mutation applied. */
async function plant({ file, search, replace }: Mutation): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'signalbox-simulation-'));
  for (const part of ['src', 'test/simulation', 'test/support/batches.ts', 'package.json']) {
    await cp(join(root, part), join(copy, part), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  const path = join(copy, 'src', file);
  const text = await readFile(path, 'utf8');
  if (text.split(search).length !== 2)
    throw new Error(`${file} does not contain exactly one "${search}"`);
  await writeFile(
    path,
    text.replace(search, () => replace),
  );
  return copy;
}

function outputOf(copy: string, { focus }: Mutation, seeds: number): Promise<string> {
  const command = [
    ...['--no-warnings', 'test/simulation/run.ts', '--seeds', String(seeds)],
    ...(focus === undefined ? [] : [`--${focus}`]),
  ];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: copy }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
}

/** The number of seeds until the mutation is found, and the violation; `undefined` when `maxSeeds` are not enough. */
export async function seedsToFind(
  mutation: Mutation,
  maxSeeds: number,
): Promise<{ readonly seeds: number; readonly violation: string } | undefined> {
  const copy = await plant(mutation);
  try {
    const output = await outputOf(copy, mutation, maxSeeds);
    const [, seeds] = /^found after (\d+) seeds$/m.exec(output) ?? [];
    if (seeds !== undefined)
      return { seeds: Number(seeds), violation: output.split('\n')[0] ?? '' };
    if (!output.includes('no violations')) throw new Error(output);
    return undefined;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
