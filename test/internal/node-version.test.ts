import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../src/apps/cli/run-command.ts';
import { createRouter } from '../../src/index.ts';
import { nodeVersionProblem, oldestNode } from '../../src/internal/node-version.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';

describe('nodeVersionProblem', () => {
  it.each(['22.12.0', '20.20.2', '18.0.0'])('is one sentence for Node %s', (node) => {
    expect(nodeVersionProblem({ node })).toBe(
      `signalbox needs Node 22.13 or later, and this is Node ${node}; update Node`,
    );
  });

  it.each([
    [{ node: '22.13.0' }],
    [{ node: '24.0.0-nightly' }],
    [{ node: '26.1.0' }],
    [{ node: '20.0.0', bun: '1.2.0' }],
    [{ node: '20.0.0', deno: '2.0.0' }],
    [{ node: 'faked' }],
    [{}],
  ])('is none for %j', (versions) => {
    expect(nodeVersionProblem(versions)).toBeUndefined();
  });

  it('has the version of package.json', () => {
    const manifest = readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8');
    expect(JSON.parse(manifest).engines.node).toBe(`>=${oldestNode}`);
  });
});

describe('on an old version of Node', () => {
  const { versions } = process;
  afterEach(() => void Object.defineProperty(process, 'versions', { value: versions }));

  it('createRouter and the command say so', async () => {
    Object.defineProperty(process, 'versions', { value: { node: '20.1.0' }, configurable: true });
    const sentence = 'signalbox needs Node 22.13 or later, and this is Node 20.1.0; update Node';
    expect(() => createRouter({ providers: { a: fakeProvider() }, tiers: { t: ['a/m'] } })).toThrow(
      sentence,
    );
    expect(await runCommand(['drill'])).toEqual({ exitCode: 2, output: '', problem: sentence });
  });
});
