import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadRouter } from '../../src/apps/cli/open-source.ts';
import { runCommand } from '../../src/apps/cli/run-command.ts';
import { sha256 } from '../support/served.ts';

const root = join(import.meta.dirname, '..', '..');
const folder = join(root, 'examples', 'docker');
const textOf = (name: string): string => readFileSync(join(folder, name), 'utf8');
const { version, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** An instruction per line, as Docker joins lines. */
const instructions = textOf('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => /^([A-Z]+)\s+(.+)$/.exec(line)?.slice(1) ?? [line]);

it('the Dockerfile installs the versions that are tested, and does not run as root', () => {
  expect(instructions.map(([name]) => name)).toEqual([
    'FROM',
    'ENV',
    'WORKDIR',
    'RUN',
    'COPY',
    'USER',
    'EXPOSE',
    'HEALTHCHECK',
    'CMD',
  ]);
  const install = instructions.find(([name]) => name === 'RUN')?.[1] ?? '';
  const pinned = install.match(/(?:@[\w-]+\/)?[\w-]+@[\d.]+/g);
  const sdks = ['openai', '@anthropic-ai/sdk', 'yaml'].map(
    (each) => `${each}@${devDependencies[each]}`,
  );
  expect(pinned).toEqual([`signalbox@${version}`, ...sdks]);
});

it('its command is one that runs, with the files beside it', async () => {
  for (const [name, text = ''] of instructions) {
    if (name !== 'CMD' && name !== 'HEALTHCHECK') continue;
    expect(JSON.parse(text.slice(text.indexOf('[')))).toContainEqual(expect.any(String));
  }
  const [, text = ''] = instructions.at(-1) ?? [];
  const [, file = '', ...args] = JSON.parse(text);
  expect(file).toBe('node_modules/signalbox/dist/cli.js');
  expect(args.slice(0, 4)).toEqual(['serve', 'router.yaml', '--keys', 'keys.yaml']);
  process.env.OPENAI_API_KEY ??= 'unset';
  process.env.ANTHROPIC_API_KEY ??= 'unset';
  const router = await loadRouter(join(folder, 'router.yaml'));
  await router.close();
  expect(textOf('keys.yaml')).toContain(sha256('change-me'));
  // Everything of the command is valid except the address, which no machine has.
  const paths = [join(folder, 'router.yaml'), '--keys', join(folder, 'keys.yaml')];
  const rest = args.slice(4).map((each: string) => (each === '0.0.0.0' ? '192.0.2.1' : each));
  const { problem } = await runCommand(['serve', ...paths, ...rest]);
  expect(problem).toContain('this machine has no such address');
});
