import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { mutations } from './mutations.ts';
import { simulate } from './simulate.ts';

const program = join(import.meta.dirname, 'run.ts');

/** In one process, which loads the engine with each mutation. `npm run simulate -- --mutations` looks for the seeds. */
describe('the simulation finds a mutation of the engine', () => {
  let found: Readonly<Record<string, string>>;
  beforeAll(async () => {
    const command = ['--no-warnings', program, '--planted'];
    found = JSON.parse((await promisify(execFile)(process.execPath, command)).stdout);
  }, 300_000);

  it.each(mutations.filter(({ seed }) => seed !== undefined))(
    '$name',
    async ({ name, seed = 0, focus }) => {
      expect(found[name]).toEqual(expect.any(String));
      expect(await simulate(seed, focus)).toEqual([]);
    },
  );
});
