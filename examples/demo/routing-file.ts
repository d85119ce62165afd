import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realVendors } from './vendors.ts';

const directory = await mkdtemp(join(tmpdir(), 'signalbox-demo-'));
const path = join(directory, 'routing.yaml');

/** Replaces the file as a whole, so that nobody reads half of it. */
async function publish(text: string): Promise<void> {
  await writeFile(`${path}.tmp`, text);
  await rename(`${path}.tmp`, path);
}

const original = await readFile(new URL('routing.yaml', import.meta.url), 'utf8');
// The timeouts are those of the simulated vendors.
await publish(realVendors.length === 0 ? original : original.replace(/^ *timeouts:.*\n/m, ''));

/** A copy of `routing.yaml`, which the demo changes while it runs. */
export const routingFile = {
  path,
  /** Moves a target to the front of the tier `fast`, as an operator would. */
  async preferInFast(target: string): Promise<void> {
    const text = await readFile(path, 'utf8');
    await publish(
      text.replace(/^ {2}fast: \[(.*)\]$/m, (_, list: string) => {
        const others = list.split(', ').filter((each) => each !== target);
        return `  fast: [${[target, ...others].join(', ')}]`;
      }),
    );
  },
  remove: (): Promise<void> => rm(directory, { recursive: true }),
};
